#include "asgi_bridge/loop_handle.h"

#include <structmember.h>

#include <cstddef>
#include <utility>

#include "asgi_bridge/interned.h"
#include "asgi_bridge/interpreter_end.h"
#include "asgi_bridge/python_types.h"

namespace cppasgi::bridge {

namespace {

struct Handle {
  PyObject_VAR_HEAD PyObject* weak_references;
  PyObject* loop;
  PyObject* callback;  // null once cancelled
  PyObject* context;
  bool cancelled;
  bool running;
  PyObject* callee;  // PY_VECTORCALL_ARGUMENTS_OFFSET: a bound method puts its object here
  PyObject* arguments[1];

  static Handle* of(PyObject* object) { return reinterpret_cast<Handle*>(object); }
};

PyTypeObject* handle_type = nullptr;

void drop_call(Handle* handle) {
  Py_CLEAR(handle->callback);
  for (Py_ssize_t i = 0; i < Py_SIZE(handle); ++i) Py_CLEAR(handle->arguments[i]);
}

int handle_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Handle* handle = Handle::of(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(handle->loop);
  Py_VISIT(handle->callback);
  Py_VISIT(handle->context);
  for (Py_ssize_t i = 0; i < Py_SIZE(handle); ++i) Py_VISIT(handle->arguments[i]);
  return 0;
}

int handle_clear(PyObject* self) noexcept {
  hold_at_interpreter_end();
  Handle* handle = Handle::of(self);
  handle->cancelled = true;  // for whoever still knows it
  drop_call(handle);
  Py_CLEAR(handle->loop);
  Py_CLEAR(handle->context);
  return 0;
}

void handle_dealloc(PyObject* self) noexcept {
  hold_at_interpreter_end();
  PyObject_GC_UnTrack(self);
  if (Handle::of(self)->weak_references != nullptr) PyObject_ClearWeakRefs(self);
  handle_clear(self);
  free_object(self);
}

PyObject* handle_cancel(PyObject* self, PyObject*) noexcept {
  hold_at_interpreter_end();
  Handle* handle = Handle::of(self);
  handle->cancelled = true;
  if (!handle->running) drop_call(handle);
  Py_RETURN_NONE;
}

PyObject* handle_is_cancelled(PyObject* self, PyObject*) noexcept {
  return PyBool_FromLong(Handle::of(self)->cancelled);
}

PyObject* handle_get_context(PyObject* self, PyObject*) noexcept {
  PyObject* context = Handle::of(self)->context;
  return Py_NewRef(context != nullptr ? context : Py_None);  // null when it was garbage
}

PyObject* handle_repr(PyObject* self) noexcept {
  hold_at_interpreter_end();
  const PythonRef callback = PythonRef::share(Handle::of(self)->callback);
  if (!callback) return PyUnicode_FromString("<Handle cancelled>");
  return PyUnicode_FromFormat("<Handle %R>", callback.get());
}

PyObject* handle_get_args(PyObject* self, void*) noexcept {
  Handle* handle = Handle::of(self);
  PyObject* arguments = PyTuple_New(Py_SIZE(handle));
  if (arguments == nullptr) return nullptr;
  if (handle->callback == nullptr) {  // or a collection has cancelled it just now
    Py_DECREF(arguments);
    Py_RETURN_NONE;
  }
  for (Py_ssize_t i = 0; i < Py_SIZE(handle); ++i)
    PyTuple_SET_ITEM(arguments, i, Py_NewRef(handle->arguments[i]));
  return arguments;
}

// asyncio keeps this in its debug mode, in which all handles are its own.
PyObject* handle_get_source(PyObject*, void*) noexcept { Py_RETURN_NONE; }

// asyncio's own turn runs a handle by this method.
PyObject* handle_run(PyObject* self, PyObject*) noexcept {
  hold_at_interpreter_end();
  if (!run_handle(Handle::of(self)->loop, self)) return nullptr;
  Py_RETURN_NONE;
}

// Runs the callback in the handle's context. Returns its result, or null with its exception.
PythonRef call_own(Handle* handle) {
  return call_in_context(handle->context, [handle] {
    const bool was_running = std::exchange(handle->running, true);
    PythonRef result = PythonRef::steal(PyObject_Vectorcall(
        handle->callback, handle->arguments,
        static_cast<std::size_t>(Py_SIZE(handle)) | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
    handle->running = was_running;
    return result;
  });
}

// Like call_own(), for a handle of asyncio's; those are for watched descriptors and timers.
PythonRef call_stock(PyObject* handle) {
  const PythonRef callback = PythonRef::steal(PyObject_GetAttr(handle, interned().callback));
  const PythonRef arguments = PythonRef::steal(PyObject_GetAttr(handle, interned().arguments));
  const PythonRef context = PythonRef::steal(PyObject_GetAttr(handle, interned().handle_context));
  if (!callback || !arguments || !context) return {};
  return call_in_context(context.get(), [&] {
    return PythonRef::steal(PyObject_CallObject(callback.get(), arguments.get()));
  });
}

// Passes the current exception to the loop's exception handler. Returns false with an exception of
// that handler.
bool report(PyObject* loop, PyObject* handle) {
  if (PyErr_ExceptionMatches(PyExc_SystemExit) || PyErr_ExceptionMatches(PyExc_KeyboardInterrupt))
    return false;
  const PythonRef exception = TakenException().release();
  return static_cast<bool>(PythonRef::steal(PyObject_CallMethodObjArgs(
      loop, interned().callback_failed, handle, exception.get(), nullptr)));
}

}  // namespace

PythonRef make_handle(PyObject* loop, PyObject* callback, PyObject* const* arguments,
                      Py_ssize_t count, PyObject* context) {
  PythonRef own_context =
      context == nullptr ? PythonRef::steal(PyContext_CopyCurrent()) : PythonRef::share(context);
  if (!own_context) return {};
  auto* handle = PyObject_GC_NewVar(Handle, handle_type, count);
  if (handle == nullptr) return {};
  handle->weak_references = nullptr;
  handle->loop = Py_NewRef(loop);
  handle->callback = Py_NewRef(callback);
  handle->context = own_context.release();
  handle->cancelled = handle->running = false;
  handle->callee = nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) handle->arguments[i] = Py_NewRef(arguments[i]);
  auto* object = reinterpret_cast<PyObject*>(handle);
  PyObject_GC_Track(object);
  return PythonRef::steal(object);
}

int handle_cancelled(PyObject* handle) {
  if (Py_TYPE(handle) == handle_type) return Handle::of(handle)->cancelled ? 1 : 0;
  const PythonRef cancelled =
      PythonRef::steal(PyObject_GetAttr(handle, interned().handle_cancelled));
  return cancelled ? PyObject_IsTrue(cancelled.get()) : -1;
}

bool run_handle(PyObject* loop, PyObject* object) {
  const int cancelled = handle_cancelled(object);
  if (cancelled != 0) return cancelled > 0;
  if (Py_TYPE(object) != handle_type) return call_stock(object) || report(loop, object);
  Handle* handle = Handle::of(object);
  const bool succeeded = call_own(handle) || report(loop, object);
  // The callback may have cancelled its own handle, and may even have run it.
  if (handle->cancelled && !handle->running) drop_call(handle);
  return succeeded;
}

int init_loop_handle() {
  static PyMethodDef methods[] = {{"cancel", &handle_cancel, METH_NOARGS, nullptr},
                                  {"cancelled", &handle_is_cancelled, METH_NOARGS, nullptr},
                                  {"get_context", &handle_get_context, METH_NOARGS, nullptr},
                                  {"_run", &handle_run, METH_NOARGS, nullptr},
                                  {nullptr, nullptr, 0, nullptr}};
  static PyMemberDef members[] = {
      {"__weaklistoffset__", T_PYSSIZET, offsetof(Handle, weak_references), READONLY, nullptr},
      {"_loop", T_OBJECT, offsetof(Handle, loop), READONLY, nullptr},
      {"_callback", T_OBJECT, offsetof(Handle, callback), READONLY, nullptr},
      {"_context", T_OBJECT, offsetof(Handle, context), READONLY, nullptr},
      {"_cancelled", T_BOOL, offsetof(Handle, cancelled), READONLY, nullptr},
      {nullptr, 0, 0, 0, nullptr}};
  static PyGetSetDef properties[] = {
      {"_args", &handle_get_args, nullptr, nullptr, nullptr},
      {"_source_traceback", &handle_get_source, nullptr, nullptr, nullptr},
      {nullptr, nullptr, nullptr, nullptr, nullptr}};
  static PyType_Slot slots[] = {{Py_tp_dealloc, as_slot(&handle_dealloc)},
                                {Py_tp_repr, as_slot(&handle_repr)},
                                {Py_tp_traverse, as_slot(&handle_traverse)},
                                {Py_tp_clear, as_slot(&handle_clear)},
                                {Py_tp_methods, methods},
                                {Py_tp_members, members},
                                {Py_tp_getset, properties},
                                {0, nullptr}};
  static PyType_Spec spec = {"cppasgi._native.Handle", offsetof(Handle, arguments),
                             sizeof(PyObject*), kFinalType | Py_TPFLAGS_HAVE_GC, slots};
  handle_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return handle_type == nullptr ? -1 : 0;
}

}  // namespace cppasgi::bridge
