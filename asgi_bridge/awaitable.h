// What receive() and send() return, as CPython types: a result that is there already, and a wait
// for one. Both are coroutines to asyncio (they may be given to create_task or ensure_future), cost
// no Future, and are stepped in C.
#pragma once

#include <Python.h>

#include "asgi_bridge/python_ref.h"

namespace cppasgi::bridge {

// Each makes a type and registers it as collections.abc.Coroutine; -1 with a Python exception when
// it can't.
int init_completed();
int init_waiters();

// Completes at once with None. One shared object, so that `await send(...)` allocates nothing. New
// reference.
PyObject* completed_none();
// Completes at once with `value`, which it takes over (null passes an error on). New reference, or
// null.
PyObject* completed_with(PyObject* value);
// Raises the exception that is set now, and clears it. New reference, or null.
PyObject* raising();
// What the coroutine does that is awaited once more.
PySendResult raise_reused();
// Lets the event loop make one turn, then completes with None. New reference, or null.
PyObject* yield_once();

// What a wait needs of the asyncio loop; the server keeps it alive.
struct WaitLoop {
  explicit WaitLoop(PyObject* asyncio_loop) : loop(PythonRef::share(asyncio_loop)) {}
  // False with a Python exception.
  bool init();

  // What it owns, for the garbage collector, and the end of that.
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

// A wait that a cycle ends. The task that awaits it is stepped inside resolve() or reject(),
// without a loop iteration in between; so both must be called from the event loop, never from
// inside a task. Where loops nest the loop steps it soon.
class Waiter;

// The waits of one kind in a cycle, oldest first. Owns them.
class WaiterList {
 public:
  WaiterList() = default;
  ~WaiterList() { clear(); }
  WaiterList(const WaiterList&) = delete;
  WaiterList& operator=(const WaiterList&) = delete;

  bool empty() const { return first_ == nullptr; }
  // Adds a wait. New reference, or null with a Python exception.
  PyObject* wait(const WaitLoop& loop);
  // Ends the oldest wait with `value`. False with a Python exception when the task's step raised
  // (SystemExit and the like).
  bool resolve_first(PythonRef value);
  // Ends it with an exception of `type`.
  bool reject_first(PyObject* type, const char* text);
  // The task that waits longest (borrowed); null when it isn't known.
  PyObject* first_task() const;
  // What it owns, for the garbage collector.
  int traverse(visitproc visit, void* arg) const;
  // Forgets all; the tasks stay suspended.
  void clear();

 private:
  friend class Waiter;
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
};

}  // namespace cppasgi::bridge
