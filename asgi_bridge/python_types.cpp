#include "asgi_bridge/python_types.h"

namespace cppasgi::bridge {

PyTypeObject* make_coroutine_type(PyType_Spec& spec) {
  PythonRef type = PythonRef::steal(PyType_FromSpec(&spec));
  const PythonRef abc = PythonRef::steal(PyImport_ImportModule("collections.abc"));
  if (!type || !abc) return nullptr;
  const PythonRef coroutine = PythonRef::steal(PyObject_GetAttrString(abc.get(), "Coroutine"));
  if (!coroutine) return nullptr;
  const PythonRef done =
      PythonRef::steal(PyObject_CallMethod(coroutine.get(), "register", "O", type.get()));
  if (!done) return nullptr;
  return reinterpret_cast<PyTypeObject*>(type.release());
}

void set_stop_iteration(PyObject* value) {
  // An instance is made here, because PyErr_SetObject() would unpack a tuple, and would take an
  // exception for the instance.
  const PythonRef owned = PythonRef::steal(value);
  const PythonRef exception = PythonRef::steal(PyObject_CallOneArg(PyExc_StopIteration, value));
  if (exception) PyErr_SetObject(PyExc_StopIteration, exception.get());
}

PyObject* raise_thrown(PyObject* const* arguments, Py_ssize_t count) {
  PyObject* first = count > 0 ? arguments[0] : nullptr;
  PyObject* value = count > 1 && arguments[1] != Py_None ? arguments[1] : nullptr;
  if (first != nullptr && PyExceptionInstance_Check(first)) {
    PyErr_SetObject(PyExceptionInstance_Class(first), first);
  } else if (first != nullptr && PyExceptionClass_Check(first)) {
    PyErr_SetObject(first, value);
  } else {
    PyErr_SetString(PyExc_TypeError, "throw() takes an exception");
  }
  return nullptr;
}

}  // namespace cppasgi::bridge
