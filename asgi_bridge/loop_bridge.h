// Embeds libuv's loop in an asyncio loop: asyncio watches libuv's descriptor, and a tick runs libuv
// when that is readable, when a libuv timer is due, and when Python has started something. This is
// the only file that knows both loops. Loop thread, with the GIL.
#pragma once

#include <Python.h>

#include <chrono>
#include <functional>
#include <utility>

#include "asgi_bridge/python_ref.h"
#include "server/net/event_loop.h"

namespace cppasgi::bridge {

// Makes the type of the callables given to asyncio; -1 with a Python exception when it can't.
int init_loop_bridge();

class LoopBridge {
 public:
  // `on_tick` follows each tick, `on_soon` a call of soon(). Each returns false with a
  // Python exception for asyncio.
  LoopBridge(net::EventLoop& loop, PyObject* asyncio_loop, std::function<bool()> on_tick,
             std::function<bool()> on_soon);
  ~LoopBridge();
  LoopBridge(const LoopBridge&) = delete;
  LoopBridge& operator=(const LoopBridge&) = delete;

  // Embeds the loop; false with a Python exception, as when the asyncio loop has no add_reader().
  bool attach();
  // Ends it. Callbacks that asyncio still holds do nothing from then on. Never raises.
  void detach();
  // Does in a forked child what detach() does, but leaves the asyncio loop's descriptors alone: the
  // parent has them too.
  void disown();

  // Asks asyncio to call on_soon after what is ready now; once until it was called. A failure is
  // reported, not raised. To ask may run Python: any of it, when garbage is collected meanwhile.
  void soon();
  // While one lives, the core is at work, which Python must not find half done: soon() waits for
  // the end of the last.
  class Quiet {
   public:
    explicit Quiet(LoopBridge& bridge) : bridge_(bridge) { ++bridge_.quiet_; }
    ~Quiet() {
      if (--bridge_.quiet_ == 0 && std::exchange(bridge_.soon_wanted_, false)) bridge_.soon();
    }
    Quiet(const Quiet&) = delete;
    Quiet& operator=(const Quiet&) = delete;

   private:
    LoopBridge& bridge_;
  };
  // The Python object that owns this: kept while one of our callbacks runs, as that may drop the
  // last other reference.
  void set_server(PyObject* server) { server_ = server; }
  PyObject* server() const { return server_; }
  // What it owns, for the garbage collector; detach() is the end of that.
  int traverse(visitproc visit, void* arg) const {
    Py_VISIT(asyncio_loop_.get());
    Py_VISIT(context_.get());
    Py_VISIT(timer_.get());
    return 0;
  }

  // Does libuv run, so that on_tick follows?
  bool ticking() const { return ticking_; }

  // Runs what asyncio calls.
  bool run(bool (LoopBridge::*function)());

 private:
  bool run_ticks();
  bool run_soon();
  bool on_timer();
  void arm_timer();
  PythonRef let_go();
  void cancel_timer();
  PyObject* make_callback(bool (LoopBridge::*function)());
  PythonRef call_loop(PyObject* method, PyObject* first, PyObject* second = nullptr);

  net::EventLoop& loop_;
  PythonRef asyncio_loop_;
  PyObject* server_ = nullptr;  // borrowed
  std::function<bool()> on_tick_;
  std::function<bool()> on_soon_;
  PythonRef tick_;
  PythonRef soon_;
  PythonRef on_timer_;
  // attach()'s: ticks may be asked for inside any request, and what they start must not find that
  // one's context variables.
  PythonRef context_;
  PythonRef timer_;  // asyncio's TimerHandle for the next libuv timer
  std::chrono::milliseconds timer_due_ = std::chrono::milliseconds::max();  // max(): none is armed
  unsigned long thread_ = 0;  // in which the loop has called us last
  bool soon_asked_ = false;
  bool soon_wanted_ = false;  // while it is quiet
  int quiet_ = 0;
  bool ticking_ = false;
  int running_ = 0;  // calls of asyncio's, one inside the other where loops nest
};

}  // namespace cppasgi::bridge
