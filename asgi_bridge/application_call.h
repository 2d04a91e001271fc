// What Python has of a cycle, as CPython types: receive and send, which the application gets, and
// the coroutine that its task steps. Loop thread, with the GIL.
#pragma once

#include <Python.h>

namespace cppasgi::bridge {

class Cycle;

// Makes the types; -1 with a Python exception when it can't.
int init_application_calls();

// Each a new reference that keeps the cycle, or null with a Python exception.
PyObject* make_receive(Cycle& cycle);
PyObject* make_send(Cycle& cycle);
// The coroutine: its first step calls the application.
PyObject* make_application_call(Cycle& cycle);

}  // namespace cppasgi::bridge
