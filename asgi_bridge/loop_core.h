// cppasgi._native.LoopCore: the methods of an asyncio selector loop that every callback needs
// (call_soon, call_soon_threadsafe, time, and one turn). cppasgi.serving.native_loop.NativeLoop
// inherits it and asyncio's own loop, which does everything else.
#pragma once

#include <Python.h>

namespace cppasgi::bridge {

// Makes the type. New reference, or null with a Python exception. Precondition: init_interned() and
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
