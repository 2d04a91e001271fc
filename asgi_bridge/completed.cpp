// Completed: the awaitable of a receive() or send() whose result is there already.
#include <utility>

#include "asgi_bridge/awaitable.h"
#include "asgi_bridge/interpreter_end.h"
#include "asgi_bridge/python_types.h"

namespace cppasgi::bridge {

namespace {

// The garbage collector needn't know an object with a value: the value is a new message, which
// nothing else refers to before it is returned. An exception may come from the application's code,
// and may refer to anything.
struct Completed {
  PyObject_HEAD
  PyObject* value;      // null once it was handed out
  PyObject* exception;  // raised instead
  bool yield_first;     // one bare yield before it completes
};

PyTypeObject* completed_type = nullptr;
PyObject* shared_none = nullptr;

PySendResult completed_send(PyObject* self, PyObject*, PyObject** result) noexcept {
  auto* completed = reinterpret_cast<Completed*>(self);
  if (completed->yield_first) {
    completed->yield_first = false;
    *result = Py_NewRef(Py_None);
    return PYGEN_NEXT;
  }
  *result = nullptr;
  if (completed->exception != nullptr) {
    // The exception is dropped here because its traceback leads to the awaiting frame, which may
    // keep this object.
    const PythonRef exception = PythonRef::steal(std::exchange(completed->exception, nullptr));
    PyErr_SetObject(PyExceptionInstance_Class(exception.get()), exception.get());
    return PYGEN_ERROR;
  }
  if (completed->value == nullptr) return raise_reused();
  *result = self == shared_none ? Py_NewRef(Py_None) : std::exchange(completed->value, nullptr);
  return PYGEN_RETURN;
}

int completed_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(reinterpret_cast<Completed*>(self)->value);
  Py_VISIT(reinterpret_cast<Completed*>(self)->exception);
  return 0;
}

int completed_clear(PyObject* self) noexcept {
  hold_at_interpreter_end();
  Py_CLEAR(reinterpret_cast<Completed*>(self)->value);
  Py_CLEAR(reinterpret_cast<Completed*>(self)->exception);
  return 0;
}

void completed_dealloc(PyObject* self) noexcept {
  hold_at_interpreter_end();
  PyObject_GC_UnTrack(self);
  completed_clear(self);
  free_object(self);
}

enum class YieldsFirst : bool { No, Yes };

// Steals `value` and `exception`, one of which is null.
PyObject* make_completed(PyObject* value, PyObject* exception, YieldsFirst yields) {
  auto* completed = PyObject_GC_New(Completed, completed_type);
  if (completed == nullptr) {
    Py_XDECREF(value);
    Py_XDECREF(exception);
    return nullptr;
  }
  completed->value = value;
  completed->exception = exception;
  completed->yield_first = yields == YieldsFirst::Yes;
  auto* object = reinterpret_cast<PyObject*>(completed);
  if (exception != nullptr) PyObject_GC_Track(object);
  return object;
}

}  // namespace

PyObject* completed_none() { return Py_NewRef(shared_none); }

PyObject* completed_with(PyObject* value) {
  return value == nullptr ? nullptr : make_completed(value, nullptr, YieldsFirst::No);
}

PyObject* raising() {
  return make_completed(nullptr, TakenException().release().release(), YieldsFirst::No);
}

PySendResult raise_reused() {
  PyErr_SetString(PyExc_RuntimeError, "this receive() or send() has been awaited already");
  return PYGEN_ERROR;
}

PyObject* yield_once() { return make_completed(Py_NewRef(Py_None), nullptr, YieldsFirst::Yes); }

int init_completed() {
  static PyMethodDef completed_methods[] = {CPPASGI_COROUTINE_METHODS(&completed_send, nullptr),
                                            {nullptr, nullptr, 0, nullptr}};
  static PyType_Slot completed_slots[] = {
      {Py_tp_dealloc, as_slot(&completed_dealloc)}, {Py_tp_traverse, as_slot(&completed_traverse)},
      {Py_tp_clear, as_slot(&completed_clear)},     {Py_tp_methods, completed_methods},
      CPPASGI_COROUTINE_SLOTS(&completed_send),     {0, nullptr}};
  static PyType_Spec completed_spec = {"cppasgi._native.Completed", sizeof(Completed), 0,
                                       kCollectedType, completed_slots};
  if ((completed_type = make_coroutine_type(completed_spec)) == nullptr) return -1;
  shared_none = make_completed(Py_NewRef(Py_None), nullptr, YieldsFirst::No);
  return shared_none == nullptr ? -1 : 0;
}

}  // namespace cppasgi::bridge
