// The values of a message's keys: what each reader of messages (message.cpp, extension_message.cpp)
// needs. Like those, they return false, or null, with a Python exception set. Loop thread, with the
// GIL.
#pragma once

#include <Python.h>

#include <string_view>

#include "asgi_bridge/python_ref.h"
#include "server/application.h"

namespace cppasgi::bridge {

// The value of `key`; null without an exception when it is missing or None. It is kept, as whatever
// is read after it may run the application's code, which may change the message.
inline PythonRef optional_item(PyObject* message, PyObject* key) {
  PyObject* value = PyDict_GetItemWithError(message, key);
  return PythonRef::share(value == Py_None ? nullptr : value);
}
// The same, with ValueError when it is missing or None; `type` is the message's.
PythonRef required_item(PyObject* message, PyObject* type, PyObject* key);

// A truth value, false when it is missing.
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

// TypeError unless it is a str; `what` names the value, here and below.
bool check_text(PyObject* object, const char* what);
// str and bytes as views, without running Python.
bool read_text(PyObject* object, const char* what, std::string_view& text);
bool read_header_bytes(PyObject* object, const char* what, std::string_view& bytes);

// False with ValueError; `format` has a place for the object, which is kept while that is filled.
bool raise_invalid(const char* format, PyObject* object);

}  // namespace cppasgi::bridge
