// Small conversions between C++ values and Python objects that scopes and messages share. Each
// returns a new reference, or null (false) with a Python exception.
#pragma once

#include <Python.h>

#include <initializer_list>
#include <string_view>
#include <utility>

namespace cppasgi::bridge {

PyObject* to_bytes(std::string_view bytes);
// As Daphne: what isn't UTF-8 becomes U+FFFD.
PyObject* to_text(std::string_view text);
// A dict of borrowed keys and values.
PyObject* to_dict(std::initializer_list<std::pair<PyObject*, PyObject*>> items);
// Sets dict[key]; `value` is taken over and may be null with an exception set.
bool set_owned(PyObject* dict, PyObject* key, PyObject* value);

}  // namespace cppasgi::bridge
