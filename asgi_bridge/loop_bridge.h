// libuv's loop as a guest of an asyncio loop: asyncio watches libuv's descriptor, and a tick runs
// libuv when it is readable, when a libuv timer is due, and when Python started something. The only
// file that knows both loops. Loop thread, with the GIL.
#pragma once

#include <Python.h>

#include <chrono>
#include <functional>

#include "asgi_bridge/python_ref.h"
#include "server/net/event_loop.h"

namespace cppasgi::bridge {

// Makes the type of the callables given to asyncio; -1 with a Python exception when it can't.
int init_loop_bridge();

class LoopBridge {
 public:
  // `on_tick` follows each run of libuv, `on_soon` a call of soon(). Each returns false with a
  // Python exception for asyncio.
  LoopBridge(net::EventLoop& loop, PyObject* asyncio_loop, std::function<bool()> on_tick,
             std::function<bool()> on_soon);
  ~LoopBridge();
  LoopBridge(const LoopBridge&) = delete;
  LoopBridge& operator=(const LoopBridge&) = delete;

  // Starts to be a guest; false with a Python exception (the loop has no add_reader).
  bool attach();
  // Ends it. Callbacks that asyncio still holds do nothing from then on. Never raises.
  void detach();

  // Asks asyncio to call on_soon after what is ready now; once until it was called. A failure is
  // reported, not raised.
  void soon();
  // Does libuv run, so that on_tick follows?
  bool ticking() const { return ticking_; }

 private:
  bool tick();
  bool run_soon();
  bool on_timer();
  void arm_timer();
  PyObject* make_callback(bool (LoopBridge::*function)());
  PythonRef call_loop(PyObject* method, PyObject* first, PyObject* second = nullptr);

  net::EventLoop& loop_;
  PythonRef asyncio_loop_;
  std::function<bool()> on_tick_;
  std::function<bool()> on_soon_;
  PythonRef tick_;
  PythonRef soon_;
  PythonRef on_timer_;
  // attach()'s: a tick may be asked for inside any request, and what it starts must not find that
  // one's context variables.
  PythonRef context_;
  PythonRef timer_;  // asyncio's TimerHandle for the next libuv timer
  std::chrono::milliseconds timer_due_ = std::chrono::milliseconds::max();  // max(): none is armed
  bool soon_asked_ = false;
  bool ticking_ = false;
};

}  // namespace cppasgi::bridge
