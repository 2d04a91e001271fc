// How an application learns that its client has left: the exception that send() raises then, and
// the awaitables of receive() and send() for which it matters which task awaits them
// (docs/design/0004). Loop thread, with the GIL.
#pragma once

#include <Python.h>

namespace cppasgi::bridge {

class Cycle;

constexpr const char* kClientLeft = "the client has left";

// Makes the type. Returns -1 with a Python exception on failure.
int init_client_disconnect();

// Raises ClientDisconnected; returns null.
PyObject* raise_client_disconnected();

// Whether the exception is ClientDisconnected, or one by which a framework passes that on:
// Starlette's ClientDisconnect and WebSocketDisconnect have it as their context, and task groups
// put it into an ExceptionGroup. Other exceptions that were raised while it was handled, as in a
// `finally`, don't count.
bool is_client_disconnected(PyObject* exception);

enum class Yields : bool { No, Yes };

// Makes the awaitable of a receive() that gives `message`, which this steals, or of a send() if
// `message` is null. It notifies the cycle when it is awaited, since only then it is known which
// task awaits. With Yields::Yes it lets the loop make a turn before it completes. New reference, or
// null.
PyObject* make_notice(Cycle& cycle, PyObject* message, Yields yields);

}  // namespace cppasgi::bridge
