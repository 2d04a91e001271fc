// What call_soon() of our event loop returns: an asyncio Handle as a CPython type, made and run
// without Python code. Loop thread or, to make one, any thread with the GIL.
#pragma once

#include <Python.h>

#include "asgi_bridge/python_ref.h"

namespace cppasgi::bridge {

// Makes the type; -1 with a Python exception when it can't.
int init_loop_handle();

// A handle that calls `callback` with `count` arguments in `context`, or, if that is null, in a
// copy of the current one. Null with an exception.
PythonRef make_handle(PyObject* loop, PyObject* callback, PyObject* const* arguments,
                      Py_ssize_t count, PyObject* context);

// Runs a handle of `loop`, ours or asyncio's, unless it was cancelled. An exception of the callback
// goes to the loop's exception handler; false with SystemExit, KeyboardInterrupt or what that one
// raises.
bool run_handle(PyObject* loop, PyObject* handle);

// Was a handle, ours or asyncio's, cancelled? -1 with an exception.
int handle_cancelled(PyObject* handle);

}  // namespace cppasgi::bridge
