#include "asgi_bridge/websocket_cycle.h"

#include <algorithm>
#include <utility>

#include "asgi_bridge/asgi_application.h"
#include "asgi_bridge/client_disconnect.h"
#include "asgi_bridge/interned.h"

namespace cppasgi::bridge {

namespace {

constexpr const char* kAnswered = "Socket has already been accepted or refused";

PyObject* raise_wrong_state(const char* text) {
  PyErr_SetString(PyExc_ValueError, text);
  return nullptr;
}

}  // namespace

WebSocketCycle::WebSocketCycle(AsgiApplication& app, Handle<WebSocketResponder> websocket)
    : ResponderCycle(app, websocket) {}

PyObject* WebSocketCycle::make_scope() {
  WebSocketResponder* responder = find_responder();
  if (responder == nullptr) return raise_client_disconnected();  // before the call began
  return application().scopes().websocket(responder->request(), responder->connection(),
                                          responder->subprotocols());
}

// --- receive ---

PyObject* WebSocketCycle::receive() {
  if (!std::exchange(connect_given_, true)) return first_message(websocket_connect_message());
  if (remains_ != nullptr && remains_->next == remains_->messages.size())
    return last_message(websocket_disconnect_message(remains_->code, remains_->reason));
  return next_or_wait();
}

PythonRef WebSocketCycle::next_message(bool& pending) {
  if (remains_ != nullptr) {
    if (remains_->next < remains_->messages.size())
      return PythonRef::steal(websocket_receive_message(remains_->messages[remains_->next++]));
    return PythonRef::steal(websocket_disconnect_message(remains_->code, remains_->reason));
  }
  WebSocketMessage message;
  WebSocketResponder* responder = find_responder();
  if (responder != nullptr && responder->take_message(message))
    return PythonRef::steal(websocket_receive_message(message));
  pending = true;
  return {};
}

void WebSocketCycle::on_message() { note_received(); }

void WebSocketCycle::on_disconnect(std::uint16_t code, std::string_view reason) {
  if (state_ != State::Closed) state_ = State::Disconnected;
  remains_ = std::make_unique<Remains>();
  remains_->code = code;
  remains_->reason = reason;
  WebSocketMessage message;
  while (find_responder()->take_message(message)) remains_->messages.push_back(std::move(message));
  note_client_left();
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
      PyErr_Format(PyExc_ValueError, "Cannot handle message type %s!", name_of(type));
      return nullptr;
  }
}

PyObject* WebSocketCycle::send_accept(PyObject* message) {
  const MessageReading reading(application().spare_fields);
  TextView subprotocol;
  if (!read_accept(message, subprotocol, reading->head.fields, reading->alive)) return nullptr;
  if (is_too_late()) return send_too_late();
  if (state_ != State::Connecting) return raise_wrong_state(kAnswered);
  WebSocketResponder* responder = find_responder();
  const std::vector<std::string>& offered = responder->subprotocols();
  const std::string_view chosen = subprotocol.view();
  if (!chosen.empty() && std::find(offered.begin(), offered.end(), chosen) == offered.end()) {
    PyErr_Format(PyExc_ValueError, "The client doesn't offer the subprotocol %R (RFC 6455 4.2.2)",
                 subprotocol.object());
    return nullptr;
  }
  state_ = State::Open;
  responder->accept(chosen, reading->head.fields);
  return completed_none();
}

// Whether the client has left, or the application itself has closed or refused.
bool WebSocketCycle::is_too_late() const {
  return find_responder() == nullptr || state_ == State::Disconnected || state_ == State::Closed;
}

PyObject* WebSocketCycle::send_message(PyObject* message) {
  if (state_ == State::Connecting || state_ == State::Denying)
    return raise_wrong_state("Socket has not been accepted, so cannot send over it");
  WebSocketMessage::Kind kind;
  TextView text;
  BytesView bytes;
  if (!read_websocket_send(message, kind, text, bytes)) return nullptr;
  if (is_too_late()) return send_too_late();
  WebSocketResponder* responder = find_responder();
  if (kind == WebSocketMessage::Kind::Text) {
    responder->send_text(text.view());
  } else {
    responder->send_binary(bytes.view());
  }
  return sent_or_wait();
}

// After the connection has ended this does nothing: consumers close in their disconnect handlers
// too.
PyObject* WebSocketCycle::send_close(PyObject* message) {
  std::uint16_t code = 1000;
  TextView reason;
  if (!read_close(message, code, reason)) return nullptr;
  WebSocketResponder* responder = find_responder();
  if (responder != nullptr && (state_ == State::Connecting || state_ == State::Open)) {
    state_ = State::Closed;
    responder->close(code, reason.view());
  }
  return completed_none();
}

PyObject* WebSocketCycle::send_denial_start(PyObject* message) {
  const MessageReading reading(application().spare_fields);
  if (!read_response_start(message, reading->head, reading->alive)) return nullptr;
  if (is_too_late()) return send_too_late();
  if (state_ != State::Connecting) return raise_wrong_state(kAnswered);
  reading->head.trailers = false;
  state_ = State::Denying;
  find_responder()->deny_head(reading->head);
  return completed_none();
}

PyObject* WebSocketCycle::send_denial_body(PyObject* message) {
  BytesView body;
  More more = More::No;
  if (!read_response_body(message, body, more)) return nullptr;
  if (is_too_late()) return send_too_late();
  if (state_ != State::Denying)
    return raise_wrong_state(
        "Response has not yet been started but got websocket.http.response.body");
  WebSocketResponder* responder = find_responder();
  if (more == More::No) state_ = State::Closed;
  if (responder->deny_content(body.view(), more) != SendStatus::Sent) {
    PyErr_SetString(PyExc_ValueError, "Response content does not match Content-Length");
    return nullptr;
  }
  if (more == More::No || responder->poll_writable()) return completed_none();
  return wait_to_send();
}

// --- the application's end ---

void WebSocketCycle::application_returned() {
  WebSocketResponder* responder = find_responder();
  if (responder != nullptr && state_ == State::Open) {
    responder->close(1000, {});
  } else if (responder != nullptr && state_ != State::Closed) {
    application().log_error("The application returned without answering the opening handshake");
    responder->fail();
  }
  leave(1000);
}

void WebSocketCycle::application_failed() {
  fail_exchange();
  leave(1011);
}

// Tasks that the application has left behind receive websocket.disconnect from now on.
void WebSocketCycle::leave(std::uint16_t code) {
  state_ = State::Closed;
  if (remains_ != nullptr) return;
  remains_ = std::make_unique<Remains>();
  remains_->code = code;
  client_left_ = true;
  stop_listening();
}

}  // namespace cppasgi::bridge
