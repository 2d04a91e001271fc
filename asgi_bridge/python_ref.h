// An owned reference to a Python object (never a borrowed one). Every use needs the GIL,
// destruction too.
#pragma once

#include <Python.h>

#include <utility>

namespace cppasgi::bridge {

class PythonRef {
 public:
  PythonRef() = default;
  // Takes over a new reference, as most C API calls return it; null stays null.
  static PythonRef steal(PyObject* object) { return PythonRef(object); }
  // Adds a reference to a borrowed one.
  static PythonRef share(PyObject* object) { return PythonRef(Py_XNewRef(object)); }

  PythonRef(PythonRef&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  PythonRef& operator=(PythonRef&& other) noexcept {
    if (this != &other) Py_XSETREF(object_, std::exchange(other.object_, nullptr));
    return *this;
  }
  PythonRef(const PythonRef& other) : object_(Py_XNewRef(other.object_)) {}
  PythonRef& operator=(const PythonRef& other) {
    Py_XINCREF(other.object_);
    Py_XSETREF(object_, other.object_);
    return *this;
  }
  ~PythonRef() { Py_XDECREF(object_); }

  PyObject* get() const { return object_; }
  PyObject* release() { return std::exchange(object_, nullptr); }
  void clear() { Py_CLEAR(object_); }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  explicit PythonRef(PyObject* object) : object_(object) {}

  PyObject* object_ = nullptr;
};

// Sets an exception aside, if one is set, and back at its end: meanwhile Python may be called.
class ExceptionAside {
 public:
  ExceptionAside() { PyErr_Fetch(&type_, &value_, &traceback_); }
  ~ExceptionAside() {
    if (type_ != nullptr) PyErr_Restore(type_, value_, traceback_);
  }
  ExceptionAside(const ExceptionAside&) = delete;
  ExceptionAside& operator=(const ExceptionAside&) = delete;

 private:
  PyObject* type_ = nullptr;
  PyObject* value_ = nullptr;
  PyObject* traceback_ = nullptr;
};

// What `call` returns (a PythonRef, null with an exception), run with `context` as the current one;
// null with an exception too when that can't be entered.
template <typename Call>
PythonRef call_in_context(PyObject* context, Call&& call) {
  if (PyContext_Enter(context) != 0) return {};
  PythonRef result = call();
  const ExceptionAside aside;
  return PyContext_Exit(context) == 0 ? std::move(result) : PythonRef();
}

}  // namespace cppasgi::bridge
