#include "asgi_bridge/message_values.h"

namespace cppasgi::bridge {

PythonRef required_item(PyObject* message, PyObject* type, PyObject* key) {
  PythonRef value = optional_item(message, key);
  if (!value && PyErr_Occurred() == nullptr)
    PyErr_Format(PyExc_ValueError, "%U needs %R", type, key);
  return value;
}

bool check_text(PyObject* object, const char* what) {
  if (PyUnicode_Check(object)) return true;
  PyErr_Format(PyExc_TypeError, "%s expected to be `str`, but got `%R`", what, Py_TYPE(object));
  return false;
}

bool read_text(PyObject* object, const char* what, std::string_view& text) {
  if (!check_text(object, what)) return false;
  Py_ssize_t size = 0;
  const char* data = PyUnicode_AsUTF8AndSize(object, &size);
  if (data == nullptr) return false;
  text = {data, static_cast<std::size_t>(size)};
  return true;
}

bool read_header_bytes(PyObject* object, const char* what, std::string_view& bytes) {
  if (!PyBytes_Check(object)) {
    const PythonRef kept = PythonRef::share(object);
    PyErr_Format(PyExc_ValueError, "Header %s '%S' expected to be `bytes`, but got `%R`", what,
                 object, Py_TYPE(object));
    return false;
  }
  bytes = {PyBytes_AS_STRING(object), static_cast<std::size_t>(PyBytes_GET_SIZE(object))};
  return true;
}

bool raise_invalid(const char* format, PyObject* object) {
  const PythonRef kept = PythonRef::share(object);
  PyErr_Format(PyExc_ValueError, format, object);
  return false;
}

}  // namespace cppasgi::bridge
