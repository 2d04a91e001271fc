#include "asgi_bridge/loop_core.h"

#include <structmember.h>

#include <cerrno>
#include <cstddef>
#include <system_error>
#include <utility>
#include <vector>

#include "asgi_bridge/interned.h"
#include "asgi_bridge/interpreter_end.h"
#include "asgi_bridge/loop_handle.h"
#include "asgi_bridge/loop_turn.h"
#include "asgi_bridge/python_ref.h"
#include "asgi_bridge/python_types.h"
#include "server/net/epoll_waiter.h"

namespace cppasgi::bridge {

namespace {

// A turn drops the cancelled timers, as asyncio does, if there are more timers than this and more
// than half of them are cancelled.
constexpr Py_ssize_t kMinTimersToDrop = 100;

// --- call_soon ---

// Calls asyncio's own method of that name.
PyObject* call_stock(PyObject* name, PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                     PyObject* keywords) {
  const PythonRef function = PythonRef::steal(PyObject_GetAttr(interned().base_event_loop, name));
  if (!function) return nullptr;
  std::vector<PyObject*> all{self};
  all.insert(all.end(), arguments,
             arguments + count + (keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords)));
  return PyObject_Vectorcall(function.get(), all.data(), static_cast<std::size_t>(count) + 1,
                             keywords);
}

// Makes a handle ready for call_soon(callback, *args, context=None). Returns it, or null with an
// exception.
PythonRef add_call(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                   PyObject* keywords) {
  LoopCore* core = LoopCore::of(self);
  if (core->closed) {
    PyErr_SetString(PyExc_RuntimeError, "Event loop is closed");
    return {};
  }
  PyObject* context = nullptr;
  if (keywords != nullptr && PyTuple_GET_SIZE(keywords) > 0) {
    if (PyTuple_GET_SIZE(keywords) != 1 ||
        PyUnicode_Compare(PyTuple_GET_ITEM(keywords, 0), interned().context) != 0) {
      PyErr_SetString(PyExc_TypeError, "call_soon() takes no other keyword than context");
      return {};
    }
    context = arguments[count];
  }
  if (count < 1) {
    PyErr_SetString(PyExc_TypeError, "call_soon() takes a callback");
    return {};
  }
  PythonRef handle = make_handle(self, arguments[0], arguments + 1, count - 1,
                                 context == Py_None ? nullptr : context);
  if (!handle) return {};
  return add_ready(core, handle.get()) ? std::move(handle) : PythonRef();
}

PyObject* core_call_soon(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                         PyObject* keywords) noexcept {
  hold_at_interpreter_end();
  if (LoopCore::of(self)->debug)
    return call_stock(interned().call_soon, self, arguments, count, keywords);
  return add_call(self, arguments, count, keywords).release();
}

PyObject* core_call_soon_threadsafe(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                                    PyObject* keywords) noexcept {
  hold_at_interpreter_end();
  LoopCore* core = LoopCore::of(self);
  if (core->debug)
    return call_stock(interned().call_soon_threadsafe, self, arguments, count, keywords);
  PythonRef handle = add_call(self, arguments, count, keywords);
  if (!handle) return nullptr;
  core->called_from_thread |= PyThread_get_thread_ident() != core->thread;
  if (core->wakes == Wakes::ByEvent) {
    core->wakes = Wakes::NotNeeded;
    core->waiter->wake();
  } else if (core->wakes == Wakes::BySocket &&
             !PythonRef::steal(PyObject_CallMethodNoArgs(self, interned().write_to_self))) {
    return nullptr;
  }
  return handle.release();
}

PyObject* core_time(PyObject*, PyObject*) noexcept {
  return PyFloat_FromDouble(monotonic_seconds());
}

PyObject* core_run_once(PyObject* self, PyObject*) noexcept {
  hold_at_interpreter_end();
  LoopCore* core = LoopCore::of(self);
  if (core->waiter == nullptr || core->scheduled == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "the loop has no selector");
    return nullptr;
  }
  if (core->waiting) {
    PyErr_SetString(PyExc_RuntimeError, "another thread runs the loop");
    return nullptr;
  }
  const Py_ssize_t timers = PyList_GET_SIZE(core->scheduled);
  if (core->debug || (timers > kMinTimersToDrop && core->timer_cancelled_count > timers / 2)) {
    core->wakes = Wakes::BySocket;
    return call_stock(interned().run_once, self, nullptr, 0, nullptr);
  }
  if (!run_turn(self)) return nullptr;
  Py_RETURN_NONE;
}

// _waits_itself(): called by a turn that isn't run_turn(), such as nest_asyncio's, before it waits.
// Returns false if it must not block, because threads may have added callbacks since the turn began
// without waking anybody.
PyObject* core_waits_itself(PyObject* self, PyObject*) noexcept {
  return PyBool_FromLong(std::exchange(LoopCore::of(self)->wakes, Wakes::BySocket) ==
                         Wakes::BySocket);
}

// --- the type ---

// _watch(epoll descriptor, keys by descriptor) sets what the loop's selector waits for. To be
// called once.
PyObject* core_watch(PyObject* self, PyObject* arguments) noexcept {
  LoopCore* core = LoopCore::of(self);
  PyObject* keys = nullptr;
  int epoll_fd = -1;
  if (!PyArg_ParseTuple(arguments, "iO!", &epoll_fd, &PyDict_Type, &keys)) return nullptr;
  if (core->waiter != nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "the loop has its selector already");
    return nullptr;
  }
  try {
    core->waiter = new net::EpollWaiter(epoll_fd);
  } catch (const std::system_error& error) {
    errno = error.code().value();
    return PyErr_SetFromErrno(PyExc_OSError);
  }
  core->keys = Py_NewRef(keys);
  Py_RETURN_NONE;
}

PyObject* core_get_ready(PyObject* self, void*) noexcept {
  return Py_XNewRef(LoopCore::of(self)->ready);
}

int core_set_ready(PyObject* self, PyObject* ready, void*) noexcept {
  LoopCore* core = LoopCore::of(self);
  if (ready == nullptr || PyObject_IsInstance(ready, interned().deque_type) != 1) {
    if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_TypeError, "_ready is a deque");
    return -1;
  }
  PythonRef append = PythonRef::steal(PyObject_GetAttrString(ready, "append"));
  PythonRef popleft = PythonRef::steal(PyObject_GetAttrString(ready, "popleft"));
  if (!append || !popleft) return -1;
  // The old objects are dropped at the end: that may free callbacks, and so run Python code.
  const PythonRef old_ready = PythonRef::steal(std::exchange(core->ready, Py_NewRef(ready)));
  const PythonRef old_append = PythonRef::steal(std::exchange(core->append, append.release()));
  const PythonRef old_popleft = PythonRef::steal(std::exchange(core->popleft, popleft.release()));
  return 0;
}

PyObject* core_get_scheduled(PyObject* self, void*) noexcept {
  return Py_XNewRef(LoopCore::of(self)->scheduled);
}

int core_set_scheduled(PyObject* self, PyObject* scheduled, void*) noexcept {
  if (scheduled == nullptr || !PyList_Check(scheduled)) {
    PyErr_SetString(PyExc_TypeError, "_scheduled is a list");
    return -1;
  }
  Py_XSETREF(LoopCore::of(self)->scheduled, Py_NewRef(scheduled));
  return 0;
}

PyObject* core_get_debug(PyObject* self, void*) noexcept {
  return PyBool_FromLong(LoopCore::of(self)->debug);
}

int core_set_debug(PyObject* self, PyObject* value, void*) noexcept {
  const int debug = value == nullptr ? 0 : PyObject_IsTrue(value);
  if (debug < 0) return -1;
  LoopCore::of(self)->debug = debug != 0;
  return 0;
}

PyObject* core_new(PyTypeObject* type, PyObject*, PyObject*) noexcept {
  hold_at_interpreter_end();
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  LoopCore* core = LoopCore::of(self);
  core->scheduled = PyList_New(0);
  const PythonRef ready = PythonRef::steal(PyObject_CallNoArgs(interned().deque_type));
  if (core->scheduled == nullptr || !ready || core_set_ready(self, ready.get(), nullptr) != 0)
    Py_CLEAR(self);
  return self;
}

int core_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  LoopCore* core = LoopCore::of(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(core->ready);
  Py_VISIT(core->append);
  Py_VISIT(core->popleft);
  Py_VISIT(core->scheduled);
  Py_VISIT(core->keys);
  Py_VISIT(core->poller);
  return 0;
}

int core_clear(PyObject* self) noexcept {
  hold_at_interpreter_end();
  LoopCore* core = LoopCore::of(self);
  core->closed = true;  // for whoever is freed later and still knows it
  Py_CLEAR(core->ready);
  Py_CLEAR(core->append);
  Py_CLEAR(core->popleft);
  Py_CLEAR(core->scheduled);
  Py_CLEAR(core->keys);
  Py_CLEAR(core->poller);
  return 0;
}

void core_dealloc(PyObject* self) noexcept {
  hold_at_interpreter_end();
  PyObject_GC_UnTrack(self);
  delete LoopCore::of(self)->waiter;
  core_clear(self);
  free_object(self);
}

PyTypeObject* core_type = nullptr;

}  // namespace

bool set_embedded_poller(PyObject* loop, int fd, PyObject* callback) {
  if (PyObject_TypeCheck(loop, core_type) == 0) return true;
  PythonRef handle = make_handle(loop, callback, nullptr, 0, nullptr);
  if (!handle) return false;
  LoopCore* core = LoopCore::of(loop);
  core->poller_fd = fd;
  Py_XSETREF(core->poller, handle.release());
  return true;
}

void clear_embedded_poller(PyObject* loop) {
  if (PyObject_TypeCheck(loop, core_type) != 0) Py_CLEAR(LoopCore::of(loop)->poller);
}

PyObject* make_loop_core_type() {
  static PyMethodDef methods[] = {
      {"call_soon", as_method(&core_call_soon), METH_FASTCALL | METH_KEYWORDS, nullptr},
      {"call_soon_threadsafe", as_method(&core_call_soon_threadsafe), METH_FASTCALL | METH_KEYWORDS,
       nullptr},
      {"time", &core_time, METH_NOARGS, nullptr},
      {"_run_once", &core_run_once, METH_NOARGS, nullptr},
      {"_waits_itself", &core_waits_itself, METH_NOARGS, nullptr},
      {"_watch", &core_watch, METH_VARARGS, nullptr},
      {nullptr, nullptr, 0, nullptr}};
  static PyMemberDef members[] = {
      {"_closed", T_BOOL, offsetof(LoopCore, closed), 0, nullptr},
      {"_stopping", T_BOOL, offsetof(LoopCore, stopping), 0, nullptr},
      {"_timer_cancelled_count", T_PYSSIZET, offsetof(LoopCore, timer_cancelled_count), 0, nullptr},
      {nullptr, 0, 0, 0, nullptr}};
  static PyGetSetDef properties[] = {
      {"_ready", &core_get_ready, &core_set_ready, nullptr, nullptr},
      {"_scheduled", &core_get_scheduled, &core_set_scheduled, nullptr, nullptr},
      {"_debug", &core_get_debug, &core_set_debug, nullptr, nullptr},
      {nullptr, nullptr, nullptr, nullptr, nullptr}};
  static PyType_Slot slots[] = {{Py_tp_new, as_slot(&core_new)},
                                {Py_tp_dealloc, as_slot(&core_dealloc)},
                                {Py_tp_traverse, as_slot(&core_traverse)},
                                {Py_tp_clear, as_slot(&core_clear)},
                                {Py_tp_methods, methods},
                                {Py_tp_members, members},
                                {Py_tp_getset, properties},
                                {0, nullptr}};
  static PyType_Spec spec = {"cppasgi._native.LoopCore", sizeof(LoopCore), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
  core_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return Py_XNewRef(reinterpret_cast<PyObject*>(core_type));
}

}  // namespace cppasgi::bridge
