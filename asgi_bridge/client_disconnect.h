// The ends of an exchange as the application meets them: the exception that send() raises once the
// client has left, and what receive() and send() return when it matters which task awaits them
// (docs/design/0004). Loop thread, with the GIL.
#pragma once

#include <Python.h>

namespace cppasgi::bridge {

class Cycle;

constexpr const char* kClientLeft = "the client has left";

// Makes the type; -1 with a Python exception when it can't.
int init_client_disconnect();

// Null with ClientDisconnected.
PyObject* raise_client_disconnected();

// Is the exception ClientDisconnected? Or one in which frameworks pass that on: Starlette's
// ClientDisconnect and WebSocketDisconnect have it as their context, task groups put it into an
// ExceptionGroup. Anything else that was raised meanwhile, as in a `finally`, is not.
bool is_client_disconnected(PyObject* exception);

enum class Yields : bool { No, Yes };

// What a receive() returns that gives `message`, which this takes over, or a send() if that is
// null. It tells the cycle when it is awaited, since only then is known which task does that; it
// may let the loop make a turn before. New reference, or null.
PyObject* make_notice(Cycle& cycle, PyObject* message, Yields yields);

}  // namespace cppasgi::bridge
