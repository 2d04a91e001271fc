#include "asgi_bridge/websocket_cycle.h"

#include <algorithm>
#include <utility>

#include "asgi_bridge/asgi_application.h"
#include "asgi_bridge/interned.h"

namespace cppasgi::bridge {

namespace {

constexpr const char* kClientLeft = "the client has left";
constexpr const char* kAnswered = "Socket has already been accepted or refused";

// Sends that are dropped in silence after the end, for an application that listens in another task
// (docs/design/0004).
constexpr int kDroppedSends = 16;

PyObject* raise_client_left() {
  PyErr_SetString(interned().client_disconnected, kClientLeft);
  return nullptr;
}

}  // namespace

WebSocketCycle::WebSocketCycle(std::shared_ptr<AsgiApplication> app,
                               Handle<WebSocketResponder> websocket)
    : Cycle(std::move(app)), websocket_(websocket) {
  websocket_.get()->set_handler(this);
}

WebSocketCycle::~WebSocketCycle() {
  if (WebSocketResponder* responder = websocket_.get()) responder->set_handler(nullptr);
}

PyObject* WebSocketCycle::make_scope() {
  WebSocketResponder* responder = websocket_.get();
  if (responder == nullptr) return raise_client_left();  // left before its turn came
  return application().scopes().websocket(responder->request(), responder->connection(),
                                          responder->subprotocols());
}

// --- receive ---

PyObject* WebSocketCycle::receive() {
  bool pending = false;
  PythonRef message = next_message(pending);
  return pending ? receivers_.park(application().wait_loop()) : completed_with(message.release());
}

// The next message for the application; `pending` when there is none yet. Null with an exception
// otherwise.
PythonRef WebSocketCycle::next_message(bool& pending) {
  if (!connect_given_) {
    connect_given_ = true;
    return PythonRef::steal(websocket_connect_message());
  }
  if (over_) {
    if (remains_->next < remains_->messages.size()) {
      return PythonRef::steal(websocket_receive_message(remains_->messages[remains_->next++]));
    }
    return PythonRef::steal(websocket_disconnect_message(remains_->code, remains_->reason));
  }
  WebSocketMessage message;
  WebSocketResponder* responder = websocket_.get();
  if (responder != nullptr && responder->take_message(message)) {
    return PythonRef::steal(websocket_receive_message(message));
  }
  pending = true;
  return {};
}

bool WebSocketCycle::wake() {
  while (!receivers_.empty()) {
    bool pending = false;
    PythonRef message = next_message(pending);
    if (pending) break;
    if (receivers_.first_belongs_to_other_than(task())) listens_elsewhere_ = true;
    if (!message || !receivers_.resolve_first(std::move(message))) return false;
  }
  const bool gone = over_ && !listens_elsewhere_;
  while (gone && !senders_.empty()) {
    if (!senders_.reject_first(interned().client_disconnected, kClientLeft)) return false;
  }
  if (over_ || std::exchange(writable_again_, false)) {
    while (!senders_.empty()) {
      // A task that was woken here may have filled the connection again and wait behind the others.
      const WebSocketResponder* responder = websocket_.get();
      if (responder != nullptr && !responder->writable()) break;
      if (!senders_.resolve_first({})) return false;
    }
  }
  return true;
}

void WebSocketCycle::on_message() {
  if (!receivers_.empty()) queue();
}

void WebSocketCycle::on_writable() {
  writable_again_ = true;
  queue();
}

void WebSocketCycle::on_disconnect(std::uint16_t code, std::string_view reason) {
  over_ = true;
  if (state_ != State::Closed) state_ = State::Disconnected;
  remains_ = std::make_unique<Remains>();
  remains_->code = code;
  remains_->reason = reason;
  WebSocketMessage message;
  while (websocket_.get()->take_message(message)) remains_->messages.push_back(std::move(message));
  if (!receivers_.empty() || !senders_.empty()) queue();
}

// --- send ---

PyObject* WebSocketCycle::send(PyObject* message) {
  MessageType type;
  if (!read_type(message, type)) return nullptr;
  switch (type) {
    case MessageType::WebSocketAccept:
      return send_accept(message);
    case MessageType::WebSocketSend:
      return send_message(message);
    case MessageType::WebSocketClose:
      return send_close(message);
    case MessageType::WebSocketHttpResponseStart:
      return send_denial_start(message);
    case MessageType::WebSocketHttpResponseBody:
      return send_denial_body(message);
    default:
      PyErr_Format(PyExc_ValueError, "Cannot handle message type %S!",
                   PyDict_GetItem(message, interned().type));
      return nullptr;
  }
}

PyObject* WebSocketCycle::send_accept(PyObject* message) {
  const MessageReading reading(application().spare_fields);
  std::string_view subprotocol;
  if (!read_accept(message, subprotocol, reading->head.fields, reading->alive)) return nullptr;
  WebSocketResponder* responder = responder_in(State::Connecting, kAnswered);
  if (responder == nullptr) return nullptr;
  const std::vector<std::string>& offered = responder->subprotocols();
  if (!subprotocol.empty() &&
      std::find(offered.begin(), offered.end(), subprotocol) == offered.end()) {
    PyErr_Format(PyExc_ValueError, "The client doesn't offer the subprotocol %R (RFC 6455 4.2.2)",
                 PyDict_GetItem(message, interned().subprotocol));
    return nullptr;
  }
  state_ = State::Open;
  responder->accept(subprotocol, reading->head.fields);
  return completed_none();
}

// The WebSocket in this state; null with an exception when the client has left, or with ValueError
// of `otherwise` in another state.
WebSocketResponder* WebSocketCycle::responder_in(State state, const char* otherwise) {
  WebSocketResponder* responder = websocket_.get();
  if (responder == nullptr || state_ == State::Disconnected || state_ == State::Closed) {
    raise_client_left();
    return nullptr;
  }
  if (state_ != state) {
    PyErr_SetString(PyExc_ValueError, otherwise);
    return nullptr;
  }
  return responder;
}

PyObject* WebSocketCycle::send_message(PyObject* message) {
  if (state_ == State::Connecting || state_ == State::Denying) {
    PyErr_SetString(PyExc_ValueError, "Socket has not been accepted, so cannot send over it");
    return nullptr;
  }
  WebSocketMessage::Kind kind;
  std::string_view text;
  BytesView bytes;
  if (!read_websocket_send(message, kind, text, bytes)) return nullptr;
  WebSocketResponder* responder = websocket_.get();
  if (responder == nullptr || state_ != State::Open) return send_too_late();
  if (kind == WebSocketMessage::Kind::Text) {
    responder->send_text(text);
  } else {
    responder->send_binary(bytes.view());
  }
  return responder->writable() ? sent() : senders_.park(application().wait_loop());
}

// Channels receives in a task of its own while it is busy with a message. Raising at once would end
// the consumer before its disconnect handler cleans up; it is told there, so the exception is only
// for a consumer that goes on and on.
PyObject* WebSocketCycle::send_too_late() {
  return listens_elsewhere_ && ++dropped_sends_ <= kDroppedSends ? sent() : raise_client_left();
}

// After the connection has ended this does nothing: consumers close in their disconnect handlers
// too.
PyObject* WebSocketCycle::send_close(PyObject* message) {
  std::uint16_t code = 1000;
  std::string_view reason;
  if (!read_close(message, code, reason)) return nullptr;
  WebSocketResponder* responder = websocket_.get();
  if (responder != nullptr && (state_ == State::Connecting || state_ == State::Open)) {
    state_ = State::Closed;
    responder->close(code, reason);
  }
  return completed_none();
}

PyObject* WebSocketCycle::send_denial_start(PyObject* message) {
  const MessageReading reading(application().spare_fields);
  if (!read_response_start(message, reading->head, reading->alive)) return nullptr;
  WebSocketResponder* responder = responder_in(State::Connecting, kAnswered);
  if (responder == nullptr) return nullptr;
  reading->head.trailers = false;
  state_ = State::Denying;
  responder->deny_head(reading->head);
  return completed_none();
}

PyObject* WebSocketCycle::send_denial_body(PyObject* message) {
  BytesView body;
  More more = More::No;
  if (!read_response_body(message, body, more)) return nullptr;
  WebSocketResponder* responder = responder_in(
      State::Denying, "Response has not yet been started but got websocket.http.response.body");
  if (responder == nullptr) return nullptr;
  if (more == More::No) state_ = State::Closed;
  if (responder->deny_content(body.view(), more) != SendStatus::Sent) {
    PyErr_SetString(PyExc_ValueError, "Response content does not match Content-Length");
    return nullptr;
  }
  if (more == More::No || responder->writable()) return completed_none();
  return senders_.park(application().wait_loop());
}

// --- the application's end ---

void WebSocketCycle::application_returned() {
  WebSocketResponder* responder = websocket_.get();
  if (responder == nullptr || state_ == State::Closed) return;
  if (state_ == State::Open) {
    responder->close(1000, {});
  } else {
    application().log_error("The application returned without answering the opening handshake");
    responder->fail();
  }
  state_ = State::Closed;
}

void WebSocketCycle::application_failed() {
  if (WebSocketResponder* responder = websocket_.get()) responder->fail();
  state_ = State::Closed;
}

}  // namespace cppasgi::bridge
