// ASGI messages: dicts to and from C++ values (ASGI HTTP and WebSocket specification 2.5), in
// message.cpp and, for the response extensions, extension_message.cpp; no other file spells their
// keys. Readers return false with a Python exception set, which the application's own send()
// raises.
#pragma once

#include <Python.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "asgi_bridge/python_ref.h"
#include "server/application.h"
#include "server/base/file_slice.h"
#include "server/http/response_head.h"

namespace cppasgi::bridge {

// Makes the prototypes of received messages. Returns -1 with a Python exception on failure.
int init_messages();

// --- for receive(): each a new dict, or null with a Python exception ---

// `body` is a bytes object; null for an empty one.
PyObject* http_request_message(const PythonRef& body, More more_body);
PyObject* http_disconnect_message();
PyObject* websocket_connect_message();
PyObject* websocket_receive_message(const WebSocketMessage& message);
PyObject* websocket_disconnect_message(std::uint16_t code, std::string_view reason);

// --- from send() ---

enum class MessageType : std::uint8_t {
  HttpResponseStart,
  HttpResponseBody,
  WebSocketAccept,
  WebSocketSend,
  WebSocketClose,
  WebSocketHttpResponseStart,
  WebSocketHttpResponseBody,
  HttpResponseEarlyHint,
  HttpResponseTrailers,
  HttpResponsePathsend,
  HttpResponseZerocopysend,
};

// Views of a str and of a bytes-like object, which they keep alive and unmoved. read() raises
// TypeError for another kind of object, which the text calls `what`.
class TextView {
 public:
  bool read(PythonRef object, const char* what);
  std::string_view view() const { return view_; }
  PyObject* object() const { return object_.get(); }

 private:
  PythonRef object_;
  std::string_view view_;
};

class BytesView {
 public:
  BytesView() = default;
  ~BytesView() {
    if (buffer_.obj == nullptr) return;
    const TakenException exception;  // PyBuffer_Release() may run Python code
    PyBuffer_Release(&buffer_);
  }
  BytesView(const BytesView&) = delete;
  BytesView& operator=(const BytesView&) = delete;

  bool read(PythonRef object, const char* what);
  std::string_view view() const { return view_; }

 private:
  PythonRef object_;
  Py_buffer buffer_{};
  std::string_view view_;
};

// Reads the type of a message that the application sent. Raises ValueError for an unknown type,
// with Daphne's text.
bool read_type(PyObject* message, MessageType& type);
// Returns the type's name in ASGI, null-terminated.
const char* name_of(MessageType type);

// Reads the fields as views into the message's bytes objects, which `alive` keeps. Names and values
// are checked (RFC 9110 5.1, 5.5), so that no header can be injected. This and the other readers
// run all Python code before they take the first view; no Python code may run from then on until
// the views have been used.
bool read_headers(PyObject* message, std::vector<http::Field>& fields,
                  std::vector<PythonRef>& alive);
// Reads "http.response.start" or "websocket.http.response.start".
bool read_response_start(PyObject* message, http::ResponseHead& head,
                         std::vector<PythonRef>& alive);
// Reads "http.response.body" or "websocket.http.response.body".
bool read_response_body(PyObject* message, BytesView& body, More& more_body);

// Reads the key "trailers" of "http.response.start".
bool read_announces_trailers(PyObject* message, bool& trailers);
// Reads "http.response.early_hint": the values of Link, checked, as views like those of
// read_headers().
bool read_early_hint(PyObject* message, std::vector<std::string_view>& links,
                     std::vector<PythonRef>& alive);
// Reads "http.response.trailers". Raises ValueError for a field that may not be a trailer.
bool read_trailers(PyObject* message, std::vector<http::Field>& fields,
                   std::vector<PythonRef>& alive, More& more_trailers);

// Reads "http.response.pathsend" and opens the file. Raises OSError on failure, like open() of
// Python.
bool read_pathsend(PyObject* message, FileSlice& file);
// Reads "http.response.zerocopysend" and duplicates the descriptor. Without an offset the file is
// read from its current position, which then moves to the end of the part that is sent.
bool read_zerocopysend(PyObject* message, FileSlice& file, More& more_body);

// Reads "websocket.accept"; `subprotocol` is empty for none.
bool read_accept(PyObject* message, TextView& subprotocol, std::vector<http::Field>& fields,
                 std::vector<PythonRef>& alive);
// Reads "websocket.send", which has either text or bytes.
bool read_websocket_send(PyObject* message, WebSocketMessage::Kind& kind, TextView& text,
                         BytesView& bytes);
// Reads "websocket.close".
bool read_close(PyObject* message, std::uint16_t& code, TextView& reason);

}  // namespace cppasgi::bridge
