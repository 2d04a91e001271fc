// The CPython types that receive() and send() return: Completed, a result that is there already,
// and Waiter, a wait for a result. asyncio sees both as coroutines, so create_task() and
// ensure_future() take them. They need no Future, and are stepped in C.
#pragma once

#include <Python.h>

#include "asgi_bridge/python_ref.h"

namespace cppasgi::bridge {

// Each makes a type and registers it as a collections.abc.Coroutine. Returns -1 with a Python
// exception on failure.
int init_completed();
int init_waiters();

// Returns an awaitable that completes at once with None. It is one shared object, so that `await
// send(...)` allocates nothing. New reference.
PyObject* completed_none();
// Returns an awaitable that completes at once with `value`. Steals `value`; if that is null,
// returns null and leaves the exception. New reference, or null.
PyObject* completed_with(PyObject* value);
// Returns an awaitable that raises the exception that is set now, and clears that. New reference,
// or null.
PyObject* raising();
// Raises RuntimeError for a coroutine that is awaited a second time.
PySendResult raise_reused();
// Returns an awaitable that lets the event loop make a turn, then completes with None. New
// reference, or null.
PyObject* yield_once();

// The parts of the asyncio loop that waiters need. The server keeps it alive.
struct WaitLoop {
  explicit WaitLoop(PyObject* asyncio_loop) : loop(PythonRef::share(asyncio_loop)) {}
  // Returns false with a Python exception on failure.
  bool init();

  // Visits what this owns, for the garbage collector; clear() drops that.
  int traverse(visitproc visit, void* arg) const {
    Py_VISIT(loop.get());
    Py_VISIT(finished.get());
    return 0;
  }
  void clear() {
    loop.clear();
    finished.clear();
  }

  PythonRef loop;
  PythonRef finished;  // a future of it that is done, without a result
};

// A wait that a cycle ends. resolve_first() and reject_first() step the waiting task at once,
// without a turn of the loop in between, so they must be called from the event loop and never
// inside a task. If loops nest, the loop steps the task instead.
class Waiter;

// The waiters of a cycle that await receive(), or send(), oldest first. The list owns them.
class WaiterList {
 public:
  WaiterList() = default;
  ~WaiterList() { clear(); }
  WaiterList(const WaiterList&) = delete;
  WaiterList& operator=(const WaiterList&) = delete;

  bool empty() const { return first_ == nullptr; }
  // Adds a waiter and returns it. New reference, or null with a Python exception.
  PyObject* wait(const WaitLoop& loop);
  // Ends the oldest wait with `value`. Returns false with a Python exception if the step of the
  // task raised one, such as SystemExit.
  bool resolve_first(PythonRef value);
  // Ends the oldest wait with an exception of `type`. Returns the same as resolve_first().
  bool reject_first(PyObject* type, const char* text);
  // Returns the task that waits longest, borrowed, or null if it isn't known.
  PyObject* first_task() const;
  // Visits what this owns, for the garbage collector.
  int traverse(visitproc visit, void* arg) const;
  // Drops all waiters; their tasks stay suspended.
  void clear();

 private:
  friend class Waiter;
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
};

}  // namespace cppasgi::bridge
