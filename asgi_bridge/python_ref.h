// PythonRef owns a Python object, and TakenException the exception that was set. Every use needs
// the GIL, and so does destruction.
#pragma once

#include <Python.h>

#include <utility>

namespace cppasgi::bridge {

// An owned reference to an object, or null.
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

// The exception that Python had set, or none, taken from it: meanwhile Python may be called. The
// destructor sets the exception again, unless release() or clear() was called.
class TakenException {
 public:
  TakenException() {
    if (PyErr_Occurred() != nullptr) take();
  }
  ~TakenException() {
    if (exception_) set();
  }
  TakenException(const TakenException&) = delete;
  TakenException& operator=(const TakenException&) = delete;

  // The exception as an object that has its traceback; null for none.
  PyObject* get() const { return exception_.get(); }
  PythonRef release() { return std::move(exception_); }
  void clear() { exception_.clear(); }

 private:
  void take();
  void set();

  PythonRef exception_;
};

// Runs `call` in `context` and returns its result (a PythonRef). Returns null with an exception if
// `call` does, or if the context can't be entered.
template <typename Call>
PythonRef call_in_context(PyObject* context, Call&& call) {
  if (PyContext_Enter(context) != 0) return {};
  PythonRef result = call();
  const TakenException exception;
  return PyContext_Exit(context) == 0 ? std::move(result) : PythonRef();
}

}  // namespace cppasgi::bridge
