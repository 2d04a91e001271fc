// Python objects that every request uses: interned keys, constant values, types of asyncio. They
// are made once, when the module is imported, and kept until the process ends. Subinterpreters
// aren't supported.
#pragma once

#include <Python.h>

namespace cppasgi::bridge {

// All strings that scopes and messages consist of: the name in C++, the text.
#define CPPASGI_INTERNED_STRINGS(X)               \
  X(type, "type")                                 \
  X(asgi, "asgi")                                 \
  X(version, "version")                           \
  X(spec_version, "spec_version")                 \
  X(http_version, "http_version")                 \
  X(method, "method")                             \
  X(scheme, "scheme")                             \
  X(path, "path")                                 \
  X(raw_path, "raw_path")                         \
  X(query_string, "query_string")                 \
  X(root_path, "root_path")                       \
  X(headers, "headers")                           \
  X(client, "client")                             \
  X(server, "server")                             \
  X(state, "state")                               \
  X(extensions, "extensions")                     \
  X(subprotocols, "subprotocols")                 \
  X(subprotocol, "subprotocol")                   \
  X(status, "status")                             \
  X(body, "body")                                 \
  X(more_body, "more_body")                       \
  X(bytes, "bytes")                               \
  X(text, "text")                                 \
  X(code, "code")                                 \
  X(reason, "reason")                             \
  X(http, "http")                                 \
  X(https, "https")                               \
  X(websocket, "websocket")                       \
  X(ws, "ws")                                     \
  X(wss, "wss")                                   \
  X(v1_0, "1.0")                                  \
  X(v1_1, "1.1")                                  \
  X(get, "GET")                                   \
  X(post, "POST")                                 \
  X(head, "HEAD")                                 \
  X(http_request, "http.request")                 \
  X(http_disconnect, "http.disconnect")           \
  X(links, "links")                               \
  X(trailers, "trailers")                         \
  X(more_trailers, "more_trailers")               \
  X(file, "file")                                 \
  X(offset, "offset")                             \
  X(count, "count")                               \
  X(tell, "tell")                                 \
  X(seek, "seek")                                 \
  X(pathsend, "http.response.pathsend")           \
  X(zerocopysend, "http.response.zerocopysend")   \
  X(early_hint, "http.response.early_hint")       \
  X(response_trailers, "http.response.trailers")  \
  X(denial_response, "websocket.http.response")   \
  X(websocket_connect, "websocket.connect")       \
  X(websocket_receive, "websocket.receive")       \
  X(websocket_disconnect, "websocket.disconnect") \
  X(create_task, "create_task")                   \
  X(get_task_factory, "get_task_factory")         \
  X(create_future, "create_future")               \
  X(set_result, "set_result")                     \
  X(call_soon, "call_soon")                       \
  X(call_soon_threadsafe, "call_soon_threadsafe") \
  X(callback_failed, "_callback_failed")          \
  X(handle_cancelled, "_cancelled")               \
  X(callback, "_callback")                        \
  X(arguments, "_args")                           \
  X(handle_context, "_context")                   \
  X(internal_remove_reader, "_remove_reader")     \
  X(internal_remove_writer, "_remove_writer")     \
  X(run_once, "_run_once")                        \
  X(scheduled, "_scheduled")                      \
  X(when, "_when")                                \
  X(write_to_self, "_write_to_self")              \
  X(call_later, "call_later")                     \
  X(add_reader, "add_reader")                     \
  X(remove_reader, "remove_reader")               \
  X(cancel, "cancel")                             \
  X(context, "context")                           \
  X(exc_info, "exc_info")                         \
  X(error, "error")                               \
  X(warning, "warning")                           \
  X(debug, "debug")                               \
  X(exceptions, "exceptions")                     \
  X(future_blocking, "_asyncio_future_blocking")  \
  X(nest_patched, "_nest_patched")                \
  X(throw_, "throw")                              \
  X(close, "close")

struct Interned {
#define CPPASGI_DECLARE(name, text) PyObject* name;
  CPPASGI_INTERNED_STRINGS(CPPASGI_DECLARE)
#undef CPPASGI_DECLARE
  PyObject* empty_bytes;
  PyObject* context_names;        // ("context",): the keyword that call_soon() takes
  PyObject* asyncio_names;        // asyncio.__dict__
  PyObject* cancelled_error;      // asyncio.CancelledError
  PyObject* current_task;         // asyncio.current_task
  PyObject* exception_group;      // BaseExceptionGroup; before Python 3.11 an empty tuple
  PyObject* task_type;            // asyncio.Task
  PyObject* base_event_loop;      // asyncio.BaseEventLoop
  PyObject* deque_type;           // collections.deque
  PyObject* heappop;              // heapq.heappop
  PyObject* client_disconnected;  // cppasgi.ClientDisconnected
  PyObject* logger;               // logging.getLogger("cppasgi.server")
};

// Valid after init_interned(). The references are borrowed.
const Interned& interned();

// Makes the objects. Returns -1 with a Python exception on failure. A second call does nothing.
int init_interned();

}  // namespace cppasgi::bridge
