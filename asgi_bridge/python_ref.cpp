// Takes exceptions from Python and sets them again. Mostly none is set, which the header finds out.
#include "asgi_bridge/python_ref.h"

namespace cppasgi::bridge {

#if PY_VERSION_HEX >= 0x030C0000

void TakenException::take() { exception_ = PythonRef::steal(PyErr_GetRaisedException()); }

void TakenException::set() { PyErr_SetRaisedException(exception_.release()); }

#else

// Python before 3.12 makes the object only when somebody asks for it.
void TakenException::take() {
  PyObject *type, *exception, *traceback;
  PyErr_Fetch(&type, &exception, &traceback);
  PyErr_NormalizeException(&type, &exception, &traceback);
  if (traceback != nullptr) PyException_SetTraceback(exception, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  exception_ = PythonRef::steal(exception);
}

void TakenException::set() {
  PyObject* exception = exception_.release();
  PyErr_Restore(Py_NewRef(Py_TYPE(exception)), exception, PyException_GetTraceback(exception));
}

#endif

}  // namespace cppasgi::bridge
