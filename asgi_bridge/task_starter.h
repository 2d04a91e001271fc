// Makes asyncio tasks of the coroutines of applications. Loop thread, with the GIL.
#pragma once

#include <Python.h>

#include "asgi_bridge/python_ref.h"

namespace cppasgi::bridge {

class TaskStarter {
 public:
  // `loop` makes the tasks. `plain` says that its create_task() just makes an asyncio.Task, unless
  // a task factory is set. Then tasks may take their first step at once, from Python 3.12 on and
  // unless loops nest.
  TaskStarter(PyObject* loop, bool plain) : loop_(PythonRef::share(loop)), plain_(plain) {}
  // Returns false with a Python exception on failure.
  bool init();

  // Visits what this owns, for the garbage collector; clear() drops that.
  int traverse(visitproc visit, void* arg) const {
    Py_VISIT(loop_.get());
    Py_VISIT(eager_arguments_.get());
    return 0;
  }
  void clear() {
    loop_.clear();
    eager_arguments_.clear();
  }

  // Has the next start() ask whether a task factory is set. Later ones in the batch rely on the
  // answer.
  void begin_batch() { asked_ = false; }
  // Makes a task that steps `coroutine`. Null with an exception: of the loop, of its task factory,
  // or SystemExit or KeyboardInterrupt of the first step.
  PythonRef start(PyObject* coroutine);
  // Whether the tasks of this batch take their first step inside start(), as with asyncio's
  // eager_task_factory. Otherwise they take it in the loop's next turn.
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
