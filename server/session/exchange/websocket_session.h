// An open WebSocket as the application has it: messages both ways, and the end from either side
// (RFC 6455 5 and 7). Its driver gives it what the peer's bytes meant. Knows neither sockets nor
// HTTP; runs over any Transport.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include "server/application.h"
#include "server/session/connection/transport.h"
#include "server/session/exchange/websocket_inbox.h"
#include "server/session/exchange/websocket_request.h"
#include "server/websocket/websocket_protocol.h"

namespace cppasgi::session {

class WebSocketSession final : public WebSocketResponder {
 public:
  enum class State : std::uint8_t {
    Open,
    Closing,  // our close frame is out, the peer's isn't in
    Over,
  };

  // Takes over from a WebSocketHandshake: its request, its name among the responders, its handler.
  // `host` and `transport` must outlive the session; `deflate` may be null.
  WebSocketSession(SessionHost& host, Transport& transport, WebSocketRequest request, SlotId id,
                   WebSocketHandler* handler, std::unique_ptr<websocket::MessageDeflate> deflate);
  ~WebSocketSession();

  // --- by the driver ---

  websocket::WebSocketProtocol& protocol() { return protocol_; }
  State state() const { return state_; }
  std::chrono::milliseconds since() const { return since_; }  // of entering the state
  // When a message came or went last, if a time-out asks for that; accepting counts.
  std::chrono::milliseconds last_message() const { return last_message_; }
  void deliver(WebSocketMessage message);  // one has arrived
  bool inbox_is_full() const;
  void resume_sending();
  void drain();  // the server is going away
  // The end. The application hears `code` and `reason`; what is counted is the code of our close
  // frame if it was the first, else `counted`, or `code` if that is 0. A second call does nothing.
  void disconnect(std::uint16_t code, std::string_view reason, std::uint16_t counted = 0);
  void log(std::string_view what) const;  // a line for the operator

  // --- WebSocketResponder ---

  const http::RequestHead& request() const override { return request_.head; }
  const ConnectionInfo& connection() const override { return request_.info(); }
  void set_handler(WebSocketHandler* handler) override { handler_ = handler; }
  void send_text(std::string_view text) override { send(WebSocketMessage::Kind::Text, text); }
  void send_binary(std::string_view bytes) override { send(WebSocketMessage::Kind::Binary, bytes); }
  bool poll_writable() override;
  void close(std::uint16_t code, std::string_view reason) override;
  void fail() override { close(1011, {}); }
  bool take_message(WebSocketMessage& message) override;

 private:
  void note_message();
  bool drops_slow_reader() const;
  void send(WebSocketMessage::Kind kind, std::string_view payload);
  void end_waits();

  SessionHost& host_;
  Transport& transport_;
  State state_ = State::Open;
  std::uint16_t close_code_ = 0;     // of our close frame, if it was the first; 0: none
  std::uint32_t sends_waiting_ = 0;  // for the client, since waiting_since_
  SlotId id_;
  WebSocketHandler* handler_;
  WebSocketRequest request_;
  websocket::WebSocketProtocol protocol_;
  WebSocketInbox inbox_;
  std::chrono::milliseconds since_;
  std::chrono::milliseconds last_message_;
  std::chrono::steady_clock::time_point waiting_since_;
};

}  // namespace cppasgi::session
