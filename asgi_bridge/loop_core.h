// cppasgi._native.LoopCore: the part of an asyncio selector loop that every callback passes
// through (call_soon, call_soon_threadsafe, time, one turn), as a base class before asyncio's own
// (cppasgi.native_loop.NativeLoop), which does everything else.
#pragma once

#include <Python.h>

namespace cppasgi::bridge {

// A new reference to the type; null with a Python exception. After init_interned() and
// init_loop_handle().
PyObject* make_loop_core_type();

}  // namespace cppasgi::bridge
