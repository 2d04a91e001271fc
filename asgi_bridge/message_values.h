// Reads the values of a message's keys, for message.cpp and extension_message.cpp. On failure these
// functions return false, or null, with a Python exception set. Loop thread, with the GIL.
#pragma once

#include <Python.h>

#include <string_view>

#include "asgi_bridge/python_ref.h"
#include "server/application.h"

namespace cppasgi::bridge {

// Returns the value of `key`, or null without an exception if it is missing or None. The result is
// a new reference because reading other values may run code of the application, which may change
// the message.
inline PythonRef optional_item(PyObject* message, PyObject* key) {
  PyObject* value = PyDict_GetItemWithError(message, key);
  return PythonRef::share(value == Py_None ? nullptr : value);
}
// Like optional_item(), but raises ValueError if the value is missing or None. `type` is the
// message's.
PythonRef required_item(PyObject* message, PyObject* type, PyObject* key);

// Reads a truth value, which is false if it is missing.
inline bool read_truth(PyObject* message, PyObject* key, bool& truth) {
  const PythonRef value = optional_item(message, key);
  if (!value && PyErr_Occurred() != nullptr) return false;
  const int result = value ? PyObject_IsTrue(value.get()) : 0;
  truth = result > 0;
  return result >= 0;
}

inline bool read_more(PyObject* message, PyObject* key, More& more) {
  bool truth = false;
  if (!read_truth(message, key, truth)) return false;
  more = truth ? More::Yes : More::No;
  return true;
}

// Raises TypeError unless `object` is a str. `what` names the value in the text, here and below.
bool check_text(PyObject* object, const char* what);
// Read a str and a bytes object as views, without running Python code.
bool read_text(PyObject* object, const char* what, std::string_view& text);
bool read_header_bytes(PyObject* object, const char* what, std::string_view& bytes);

// Raises ValueError with `format`, into which `object` is inserted; returns false. Keeps `object`
// meanwhile.
bool raise_invalid(const char* format, PyObject* object);

}  // namespace cppasgi::bridge
