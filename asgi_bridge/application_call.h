// The CPython types by which Python uses a cycle: receive and send, which the application gets, and
// the coroutine that its task steps. Loop thread, with the GIL.
#pragma once

#include <Python.h>

namespace cppasgi::bridge {

class Cycle;

// Makes the types. Returns -1 with a Python exception on failure.
int init_application_calls();

// Each returns a new reference to an ASGI callable, which keeps the cycle, or null with a Python
// exception.
PyObject* make_receive(Cycle& cycle);
PyObject* make_send(Cycle& cycle);
// Returns the coroutine of a call, whose first step calls the application. New reference, or null
// with a Python exception.
PyObject* make_application_call(Cycle& cycle);

}  // namespace cppasgi::bridge
