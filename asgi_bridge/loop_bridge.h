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

// Makes the type of the callables that asyncio gets. Returns -1 with a Python exception on failure.
int init_loop_bridge();

class LoopBridge {
 public:
  // `on_tick` is called after each tick, and `on_soon` after soon() was called. Each returns false
  // with a Python exception for asyncio.
  LoopBridge(net::EventLoop& loop, PyObject* asyncio_loop, std::function<bool()> on_tick,
             std::function<bool()> on_soon);
  ~LoopBridge();
  LoopBridge(const LoopBridge&) = delete;
  LoopBridge& operator=(const LoopBridge&) = delete;

  // Embeds libuv's loop. Returns false with a Python exception, for example if the asyncio loop has
  // no add_reader().
  bool attach();
  // Ends that. Callbacks that asyncio still has do nothing from then on. Never raises.
  void detach();
  // Like detach(), for a forked child: leaves the descriptors of the asyncio loop alone, as the
  // parent has them too.
  void disown();

  // Has asyncio call `on_soon` once, after the callbacks that are ready now. A failure is reported
  // to sys.unraisablehook. This may run any Python code, as the garbage collector may run
  // meanwhile.
  void soon();
  // While one lives, the core is at work, and Python code must not find it in between: soon() is
  // put off until the last one is destroyed.
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
  // Sets the Python object that owns this. It is kept while a callback runs, which may drop the
  // last other reference.
  void set_server(PyObject* server) { server_ = server; }
  PyObject* server() const { return server_; }
  // Visits what this owns, for the garbage collector; detach() drops that.
  int traverse(visitproc visit, void* arg) const {
    Py_VISIT(asyncio_loop_.get());
    Py_VISIT(context_.get());
    Py_VISIT(timer_.get());
    return 0;
  }

  // Whether ticks run now, so that `on_tick` follows.
  bool ticking() const { return ticking_; }

  // Calls `function` for asyncio.
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
  // The context of attach(). Ticks may be asked for inside any request, but what they start must
  // not see the context variables of that request.
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
