// HTTP/1 on a connection: takes one request after the other, and gives each to its exchange or, if
// it is an opening handshake, to a WebSocketHandshake (RFC 9112 9). Loop thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "server/session/drivers/http1_transport.h"
#include "server/session/exchange/http_exchange.h"
#include "server/session/exchange/websocket_handshake.h"

namespace cppasgi::session {

class Http1Driver final : public Driver {
 public:
  // Both must outlive the driver.
  Http1Driver(SessionHost& host, Connection& connection);

  // --- Driver ---

  std::size_t receive(std::span<char> bytes) override;
  bool is_full() override { return exchange_.content_is_full(); }
  void on_reading(bool reads) override;
  void on_end(bool kept) override;
  OutputBuffer& bytes_to_send() override { return transport_.protocol().bytes_to_send(); }
  Watermarks unsent_marks() const override { return host_.options.outgoing; }
  void on_writable() override;
  void drain() override;
  bool client_returns() const override;
  void cut_short() override;
  void refuse() override;
  bool disconnect(Blame blame) override;
  bool client_may_send() const override { return !request_complete_; }
  void count(InProgress& in_progress) const override;
  bool awaits_application() const override;
  bool answers_soon() const override { return phase_ == Phase::Exchange; }
  std::chrono::milliseconds idle_since() const override;
  std::chrono::milliseconds next_deadline() const override;
  void on_deadline(std::chrono::milliseconds now) override;
  void log(std::string_view what) const override;

  // --- by the transport ---

  void expect_content();  // the client is to send more from now on
  void exchange_ended();
  void websocket_accepted() { phase_ = Phase::Over; }

 private:
  enum class Phase : std::uint8_t {
    Idle,       // no byte of a request is here
    Head,       // a request head is coming in
    Exchange,   // a request is being received or answered
    Handshake,  // the application is asked whether it accepts a WebSocket
    Over,       // the connection ends, or another driver has it
  };

  bool takes_input();
  void handle_events();
  void handle(const http1::RequestReceived& event);
  void handle(const http1::ContentReceived& event);
  void handle(const http1::EndOfRequest& event);
  void handle(const http1::ProtocolError& event);
  void begin_handshake();
  void refuse(int status, std::string_view text);
  void finish_exchange();
  void end();
  bool client_owes_content() const;

  SessionHost& host_;
  Connection& connection_;
  Http1Transport transport_;
  HttpExchange exchange_;
  std::unique_ptr<WebSocketHandshake> handshake_;
  std::chrono::milliseconds since_;  // of entering the phase, or of content in it
  std::uint32_t requests_ = 0;       // so far
  Phase phase_ = Phase::Idle;
  bool handling_events_ = false;
  bool left_some_ = false;        // receive() hasn't taken all that there is
  bool request_complete_ = true;  // nothing of the current request is still to come
  bool upgrade_asked_ = false;    // the current request is an opening handshake
};

}  // namespace cppasgi::session
