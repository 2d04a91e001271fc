// An opening handshake that was asked for: the application accepts it, refuses it, or lets the
// client wait for too long (RFC 6455 4.2). Accepting makes a WebSocketSession, which takes this
// object's place. Knows no version of HTTP.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/application.h"
#include "server/session/connection/transport.h"
#include "server/session/exchange/http_transport.h"
#include "server/session/exchange/websocket_request.h"
#include "server/websocket/handshake.h"

namespace cppasgi::session {

class WebSocketHandshake final : public WebSocketResponder {
 public:
  // `host`, `transport` and `bytes`, which will carry an accepted WebSocket, must outlive the
  // object; `handshake` may alias the head of `request`.
  WebSocketHandshake(SessionHost& host, HttpTransport& transport, Transport& bytes,
                     const websocket::OpeningHandshake& handshake, WebSocketRequest request);
  ~WebSocketHandshake();

  // --- by the driver ---

  void begin();       // starts the application
  void disconnect();  // the client left; a second call does nothing
  bool is_connecting() const { return state_ == State::Connecting; }
  std::chrono::milliseconds next_deadline() const;  // max(): none
  void on_deadline();
  void log(std::string_view what) const;  // a line for the operator

  // --- WebSocketResponder ---

  const http::RequestHead& request() const override { return request_.head; }
  const ConnectionInfo& connection() const override { return request_.info(); }
  const std::vector<std::string>& subprotocols() const override { return subprotocols_; }
  void set_handler(WebSocketHandler* handler) override { handler_ = handler; }
  void accept(std::string_view subprotocol, const std::vector<http::Field>& fields) override;
  void deny_head(const http::ResponseHead& head) override;
  SendStatus deny_content(std::string_view content, More more) override;
  bool poll_writable() override { return transport_.poll_writable(); }
  void close(std::uint16_t code, std::string_view reason) override;
  void fail() override;

 private:
  enum class State : std::uint8_t {
    Connecting,  // the application hasn't answered
    Denying,     // it refuses with a response of its own
    Over,        // a WebSocketSession has taken over, or the handshake was refused or broken off
  };

  std::unique_ptr<websocket::MessageDeflate> agree_on_deflate();
  void refuse(int status, std::string_view text, Handshake reason);
  void end();
  void tell_end();

  SessionHost& host_;
  HttpTransport& transport_;
  Transport& bytes_;
  std::string key_;
  std::vector<std::string> subprotocols_;
  std::optional<websocket::DeflateParameters> deflate_offer_;
  WebSocketRequest request_;
  SlotId id_;
  WebSocketHandler* handler_ = nullptr;
  std::chrono::milliseconds since_;
  State state_ = State::Connecting;
  bool denial_started_ = false;
};

}  // namespace cppasgi::session
