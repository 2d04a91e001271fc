// Conversions of C++ values to Python objects, for scopes and messages. Each returns a new
// reference, or null (false) with a Python exception.
#pragma once

#include <Python.h>

#include <initializer_list>
#include <string_view>
#include <utility>

namespace cppasgi::bridge {

PyObject* to_bytes(std::string_view bytes);
// Bytes that aren't UTF-8 become U+FFFD, as with Daphne.
PyObject* to_text(std::string_view text);
// Makes a dict; keys and values are borrowed.
PyObject* to_dict(std::initializer_list<std::pair<PyObject*, PyObject*>> items);
// Sets dict[key]. Steals `value`; if that is null, returns false and leaves the exception.
bool set_owned(PyObject* dict, PyObject* key, PyObject* value);

}  // namespace cppasgi::bridge
