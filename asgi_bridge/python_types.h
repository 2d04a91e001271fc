// Helpers for the CPython types of the bridge: the slots and methods of a coroutine, made from one
// send function, and the casts that the C API needs.
#pragma once

#include <Python.h>

#include <utility>

#include "asgi_bridge/python_ref.h"

namespace cppasgi::bridge {

constexpr unsigned kFinalType = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
// The flags of a type whose objects refer to others, and which tells the garbage collector of these
// by tp_traverse. Its objects are made by PyObject_GC_New(), and tracked when they are complete.
constexpr unsigned kCollectedType = kFinalType | Py_TPFLAGS_HAVE_GC;

template <typename Function>
void* as_slot(Function* function) {
  return reinterpret_cast<void*>(function);
}

template <typename Function>
PyCFunction as_method(Function* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

// Frees an object of a heap type; the end of a tp_dealloc.
inline void free_object(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

// Makes a type from its spec and registers it as a collections.abc.Coroutine. New reference, or
// null.
PyTypeObject* make_coroutine_type(PyType_Spec& spec);

using SendFunction = PySendResult(PyObject* self, PyObject* argument, PyObject** result);
using AbandonFunction = void(PyObject* self);

// Raises StopIteration(value), as a coroutine's send() does at its end. Steals `value`.
void set_stop_iteration(PyObject* value);

// tp_iternext, by which CPython 3.12 and later steps an await. Returns null at the end, without an
// exception if the result is None.
template <SendFunction* send>
PyObject* iternext_by(PyObject* self) noexcept {
  PyObject* result = nullptr;
  if (send(self, Py_None, &result) == PYGEN_RETURN) {
    if (result == Py_None) {
      Py_DECREF(result);
    } else {
      set_stop_iteration(result);
    }
    return nullptr;
  }
  return result;
}

// send(value).
template <SendFunction* send>
PyObject* send_by(PyObject* self, PyObject* value) noexcept {
  PyObject* result = nullptr;
  if (send(self, value, &result) == PYGEN_RETURN) {
    set_stop_iteration(result);
    return nullptr;
  }
  return result;
}

// throw(exception) or throw(type, value, traceback): abandons the coroutine, then raises the
// exception.
PyObject* raise_thrown(PyObject* const* arguments, Py_ssize_t count);
template <AbandonFunction* abandon>
PyObject* throw_by(PyObject* self, PyObject* const* arguments, Py_ssize_t count) noexcept {
  if constexpr (abandon != nullptr) abandon(self);
  return raise_thrown(arguments, count);
}

// close().
template <AbandonFunction* abandon>
PyObject* close_by(PyObject* self, PyObject*) noexcept {
  if constexpr (abandon != nullptr) abandon(self);
  Py_RETURN_NONE;
}

inline PyObject* own_iterator(PyObject* self) noexcept { return Py_NewRef(self); }

// CPython 3.10 and 3.11 step an await by am_send, later versions by tp_iternext.
#define CPPASGI_COROUTINE_SLOTS(send)                                 \
  {Py_am_await, as_slot(&own_iterator)}, {Py_am_send, as_slot(send)}, \
      {Py_tp_iter, as_slot(&own_iterator)}, {                         \
    Py_tp_iternext, as_slot(&iternext_by<send>)                       \
  }

#define CPPASGI_COROUTINE_METHODS(send, abandon)                          \
  {"send", &send_by<send>, METH_O, nullptr},                              \
      {"throw", as_method(&throw_by<abandon>), METH_FASTCALL, nullptr}, { \
    "close", &close_by<abandon>, METH_NOARGS, nullptr                     \
  }

}  // namespace cppasgi::bridge
