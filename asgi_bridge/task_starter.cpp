#include "asgi_bridge/task_starter.h"

#include <array>
#include <utility>

#include "asgi_bridge/interned.h"
#include "asgi_bridge/nesting.h"

namespace cppasgi::bridge {

bool TaskStarter::init() {
  eager_arguments_ =
      PythonRef::steal(Py_BuildValue("{sOsO}", "loop", loop_.get(), "eager_start", Py_True));
  return static_cast<bool>(eager_arguments_);
}

bool TaskStarter::ask_for_factory() {
  constexpr bool kHasEagerStart = PY_VERSION_HEX >= 0x030C0000;
  if (!kHasEagerStart || !plain_ || std::exchange(asked_, true)) return true;
  const PythonRef factory =
      PythonRef::steal(PyObject_CallMethodNoArgs(loop_.get(), interned().get_task_factory));
  eager_ = factory.get() == Py_None && !loops_nest();
  return static_cast<bool>(factory);
}

PythonRef TaskStarter::start(PyObject* coroutine) {
  if (!ask_for_factory()) return {};
  if (eager_) {
    // This isn't a vectorcall, because the type in C has none, and CPython would make a dict each
    // time.
    const PythonRef arguments = PythonRef::steal(PyTuple_Pack(1, coroutine));
    if (!arguments) return {};
    return PythonRef::steal(
        PyObject_Call(interned().task_type, arguments.get(), eager_arguments_.get()));
  }
  const std::array<PyObject*, 2> arguments{loop_.get(), coroutine};
  return PythonRef::steal(
      PyObject_VectorcallMethod(interned().create_task, arguments.data(), 2, nullptr));
}

}  // namespace cppasgi::bridge
