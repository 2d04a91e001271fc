// cppasgi._native.LoopCore: the part of an asyncio selector loop that every callback passes
// through (call_soon, call_soon_threadsafe, time, one turn), as a base class before asyncio's own
// (cppasgi.native_loop.NativeLoop), which does everything else.
#pragma once

#include <Python.h>

namespace cppasgi::bridge {

// Makes the type; null with a Python exception when it can't. Borrowed.
PyObject* init_loop_core();

}  // namespace cppasgi::bridge
