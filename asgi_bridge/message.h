// ASGI messages: dicts to and from C++ values (ASGI HTTP and WebSocket specification 2.5), in
// message.cpp and, for the response extensions, extension_message.cpp; no other file spells their
// keys. Readers raise out of the application's own send(): they return false with a Python
// exception set.
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

// Makes the prototypes of received messages; -1 with a Python exception when it can't.
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

// Views of a str and of a bytes-like object, which they keep alive and unmoved. `what` names it in
// the TypeError of another kind of object.
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
    const TakenException exception;  // to release may run Python
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

// The type of a message that the application sent. ValueError for an unknown one, with Daphne's
// text.
bool read_type(PyObject* message, MessageType& type);
// Its name; null-terminated.
const char* name_of(MessageType type);

// Fields as views into the message's bytes objects, which `alive` keeps. Names and values are
// checked (RFC 9110 5.1, 5.5), so that no header can be injected. Whatever may run Python comes
// before the first view here and in the other readers, and nothing may until the views have been
// used.
bool read_headers(PyObject* message, std::vector<http::Field>& fields,
                  std::vector<PythonRef>& alive);
// "http.response.start" and "websocket.http.response.start".
bool read_response_start(PyObject* message, http::ResponseHead& head,
                         std::vector<PythonRef>& alive);
// "http.response.body" and "websocket.http.response.body".
bool read_response_body(PyObject* message, BytesView& body, More& more_body);

// The key "trailers" of "http.response.start".
bool read_announces_trailers(PyObject* message, bool& trailers);
// "http.response.early_hint": values of Link, checked, as read_headers gives fields.
bool read_early_hint(PyObject* message, std::vector<std::string_view>& links,
                     std::vector<PythonRef>& alive);
// "http.response.trailers". ValueError for a field that may not be a trailer.
bool read_trailers(PyObject* message, std::vector<http::Field>& fields,
                   std::vector<PythonRef>& alive, More& more_trailers);

// "http.response.pathsend": opens the file, as Python's open() would. OSError when that can't be
// done.
bool read_pathsend(PyObject* message, FileSlice& file);
// "http.response.zerocopysend": copies the descriptor. Without an offset the file is read from its
// current position, which moves behind what is to be sent.
bool read_zerocopysend(PyObject* message, FileSlice& file, More& more_body);

// "websocket.accept": `subprotocol` is empty for none.
bool read_accept(PyObject* message, TextView& subprotocol, std::vector<http::Field>& fields,
                 std::vector<PythonRef>& alive);
// "websocket.send": exactly one of text and bytes.
bool read_websocket_send(PyObject* message, WebSocketMessage::Kind& kind, TextView& text,
                         BytesView& bytes);
// "websocket.close".
bool read_close(PyObject* message, std::uint16_t& code, TextView& reason);

}  // namespace cppasgi::bridge
