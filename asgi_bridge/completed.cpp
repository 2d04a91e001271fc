// A result of receive() or send() that is there already.
#include <utility>

#include "asgi_bridge/awaitable.h"
#include "asgi_bridge/python_types.h"

namespace cppasgi::bridge {

namespace {

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
  if (completed->exception != nullptr) {
    *result = nullptr;
    PyErr_SetObject(PyExceptionInstance_Class(completed->exception), completed->exception);
    return PYGEN_ERROR;
  }
  *result = completed->value != nullptr && self != shared_none
                ? std::exchange(completed->value, nullptr)
                : Py_NewRef(Py_None);
  return PYGEN_RETURN;
}

void completed_dealloc(PyObject* self) noexcept {
  Py_CLEAR(reinterpret_cast<Completed*>(self)->value);
  Py_CLEAR(reinterpret_cast<Completed*>(self)->exception);
  free_object(self);
}

PyObject* make_completed(PyObject* value, bool yield_first) {
  auto* completed = PyObject_New(Completed, completed_type);
  if (completed == nullptr) {
    Py_XDECREF(value);
    return nullptr;
  }
  completed->value = value;
  completed->exception = nullptr;
  completed->yield_first = yield_first;
  return reinterpret_cast<PyObject*>(completed);
}

}  // namespace

PyObject* completed_none() { return Py_NewRef(shared_none); }

PyObject* completed_with(PyObject* value) {
  return value == nullptr ? nullptr : make_completed(value, false);
}

PyObject* raising() {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  PyObject* completed = make_completed(nullptr, false);
  if (completed == nullptr) {
    Py_XDECREF(value);
  } else {
    reinterpret_cast<Completed*>(completed)->exception = value;
  }
  return completed;
}

PyObject* yield_once() { return make_completed(nullptr, true); }

int init_completed() {
  static PyMethodDef completed_methods[] = {CPPASGI_COROUTINE_METHODS(&completed_send, nullptr),
                                            {nullptr, nullptr, 0, nullptr}};
  static PyType_Slot completed_slots[] = {{Py_tp_dealloc, as_slot(&completed_dealloc)},
                                          {Py_tp_methods, completed_methods},
                                          CPPASGI_COROUTINE_SLOTS(&completed_send),
                                          {0, nullptr}};
  static PyType_Spec completed_spec = {"cppasgi._native.Completed", sizeof(Completed), 0,
                                       kFinalType, completed_slots};
  if ((completed_type = make_coroutine_type(completed_spec)) == nullptr) return -1;
  shared_none = make_completed(nullptr, false);
  return shared_none == nullptr ? -1 : 0;
}

}  // namespace cppasgi::bridge
