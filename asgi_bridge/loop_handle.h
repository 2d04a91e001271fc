// The Handle that call_soon() of a LoopCore returns: an asyncio Handle as a CPython type, made and
// run without Python code. Loop thread; make_handle() any thread with the GIL.
#pragma once

#include <Python.h>

#include "asgi_bridge/python_ref.h"

namespace cppasgi::bridge {

// Makes the type. Returns -1 with a Python exception on failure.
int init_loop_handle();

// Makes a handle that calls `callback` with `count` arguments in `context`, or, if that is null, in
// a copy of the current context. Null with an exception.
PythonRef make_handle(PyObject* loop, PyObject* callback, PyObject* const* arguments,
                      Py_ssize_t count, PyObject* context);

// Runs a handle of `loop`, ours or asyncio's, unless it was cancelled. An exception of the callback
// goes to the loop's exception handler. Returns false with SystemExit or KeyboardInterrupt of the
// callback, or with an exception of that handler.
bool run_handle(PyObject* loop, PyObject* handle);

// Returns 1 if a handle, ours or asyncio's, was cancelled, 0 if not, or -1 with an exception.
int handle_cancelled(PyObject* handle);

}  // namespace cppasgi::bridge
