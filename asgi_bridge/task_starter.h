// Makes an asyncio task of an application's coroutine. Loop thread, with the GIL.
#pragma once

#include <Python.h>

#include "asgi_bridge/python_ref.h"

namespace cppasgi::bridge {

class TaskStarter {
 public:
  // `loop` makes the tasks. `plain` tells that its create_task() makes an asyncio.Task and nothing
  // else, unless a task factory is set: then the first step may be taken at once (Python 3.12 on),
  // but not where loops nest.
  TaskStarter(PyObject* loop, bool plain) : loop_(PythonRef::share(loop)), plain_(plain) {}
  // False with a Python exception.
  bool init();

  // What it owns, for the garbage collector, and the end of that.
  int traverse(visitproc visit, void* arg) const {
    Py_VISIT(loop_.get());
    Py_VISIT(eager_arguments_.get());
    return 0;
  }
  void clear() {
    loop_.clear();
    eager_arguments_.clear();
  }

  // The next start() asks whether a task factory is set; those after it rely on the answer.
  void begin_batch() { asked_ = false; }
  // A task that steps `coroutine`, or null with an exception: the loop's, its task factory's, or a
  // SystemExit or KeyboardInterrupt out of the first step.
  PythonRef start(PyObject* coroutine);
  // Whether the tasks of this batch took their first step inside start(), as with asyncio's
  // eager_task_factory; otherwise the loop takes it in its next turn.
  bool is_eager() const { return eager_; }

 private:
  bool ask_for_factory();

  PythonRef loop_;
  PythonRef eager_arguments_;  // {"loop": loop, "eager_start": True}
  bool plain_;
  bool asked_ = false;
  bool eager_ = false;
};

}  // namespace cppasgi::bridge
