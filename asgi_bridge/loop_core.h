// cppasgi._native.LoopCore: the part of an asyncio selector loop that every callback passes
// through (call_soon, call_soon_threadsafe, time, one turn), as a base class before asyncio's own
// (cppasgi.serving.native_loop.NativeLoop), which does everything else.
#pragma once

#include <Python.h>

namespace cppasgi::bridge {

// A new reference to the type; null with a Python exception. After init_interned() and
// init_loop_handle().
PyObject* make_loop_core_type();

// Makes `callback` the guest of a loop that has an add_reader() for `fd` already: called without
// asyncio's machinery as soon as the descriptor is readable, before what else is ready, and
// what it makes ready runs in the same turn. In a copy of the current context. False with a Python
// exception. Does nothing for a loop of another type. One guest for each loop.
bool set_guest(PyObject* loop, int fd, PyObject* callback);
void clear_guest(PyObject* loop);

}  // namespace cppasgi::bridge
