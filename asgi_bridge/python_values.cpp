#include "asgi_bridge/python_values.h"

#include <cstring>

#include "asgi_bridge/python_ref.h"
#include "server/base/ascii.h"

namespace cppasgi::bridge {

PyObject* to_bytes(std::string_view bytes) {
  return PyBytes_FromStringAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size()));
}

PyObject* to_text(std::string_view text) {
  // CPython's decoder checks eight bytes at a time, which is slow for a message of some KiB.
  if (text.size() >= kAsciiBlockBytes && is_ascii(text)) {
    PyObject* string = PyUnicode_New(static_cast<Py_ssize_t>(text.size()), 0x7F);
    if (string != nullptr) std::memcpy(PyUnicode_1BYTE_DATA(string), text.data(), text.size());
    return string;
  }
  return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
}

PyObject* to_dict(std::initializer_list<std::pair<PyObject*, PyObject*>> items) {
  PythonRef dict = PythonRef::steal(PyDict_New());
  if (!dict) return nullptr;
  for (const auto& [key, value] : items) {
    if (PyDict_SetItem(dict.get(), key, value) != 0) return nullptr;
  }
  return dict.release();
}

bool set_owned(PyObject* dict, PyObject* key, PyObject* value) {
  const PythonRef owned = PythonRef::steal(value);
  return value != nullptr && PyDict_SetItem(dict, key, value) == 0;
}

}  // namespace cppasgi::bridge
