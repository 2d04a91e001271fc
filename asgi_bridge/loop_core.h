// cppasgi._native.LoopCore: the part of an asyncio selector loop that every callback passes
// through (call_soon, call_soon_threadsafe, time, one turn), as a base class before asyncio's own
// (cppasgi.serving.native_loop.NativeLoop), which does everything else.
#pragma once

#include <Python.h>

namespace cppasgi::bridge {

// A new reference to the type; null with a Python exception. After init_interned() and
// init_loop_handle().
PyObject* make_loop_core_type();

// Gives a loop its embedded poller: another poller (libuv's epoll), whose descriptor `fd` the loop
// watches by add_reader() already. As soon as `fd` is readable, `callback` is called in a copy of
// the context that is current now, before any other callback and without asyncio's part in it, and
// what it makes ready runs in the same turn. A loop has at most one. Does nothing for a loop that
// isn't a LoopCore; false with a Python exception.
bool set_embedded_poller(PyObject* loop, int fd, PyObject* callback);
void clear_embedded_poller(PyObject* loop);

}  // namespace cppasgi::bridge
