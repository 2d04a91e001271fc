// The state of a LoopCore, and a turn of it, as in asyncio: timers, the wait, and the callbacks
// that are ready. Loop thread, with the GIL.
#pragma once

#include <Python.h>

#include <cstdint>

#include "server/net/epoll_waiter.h"

namespace cppasgi::bridge {

// How a thread that adds a callback makes the loop notice it.
enum class Wakes : std::uint8_t {
  BySocket,   // asyncio's own turn waits, or none does
  NotNeeded,  // a turn of ours runs, and looks before it waits
  ByEvent     // a turn of ours waits
};

// The attributes of asyncio.BaseEventLoop that a turn needs are here instead of in the object's
// dictionary; Python sees them by the same names.
struct LoopCore {
  PyObject_HEAD
  PyObject* ready;  // collections.deque of handles
  PyObject* append;
  PyObject* popleft;
  PyObject* scheduled;  // heapq of TimerHandles
  Py_ssize_t timer_cancelled_count;
  PyObject* keys;            // descriptor: selectors.SelectorKey
  net::EpollWaiter* waiter;  // owned; null before _watch()
  PyObject* poller;          // set_embedded_poller()'s handle; null for none
  int poller_fd;
  bool poller_ready;
  unsigned long thread;  // that runs the turns
  bool closed;
  bool stopping;
  bool debug;
  bool called_from_thread;  // since the loop last had nothing to do
  Wakes wakes;
  bool waiting;  // without the interpreter

  static LoopCore* of(PyObject* object) { return reinterpret_cast<LoopCore*>(object); }
};

// The clock of time.monotonic().
double monotonic_seconds();

// Makes a handle ready. Returns false with an exception on failure.
bool add_ready(LoopCore* core, PyObject* handle);

// Makes a turn as asyncio does, without its debug mode. Precondition: there is a waiter. Returns
// false with an exception on failure.
bool run_turn(PyObject* self);

}  // namespace cppasgi::bridge
