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
  OutputBuffer& bytes_to_send() override { return protocol_.bytes_to_send(); }
  void on_writable() override;
  void drain() override;
  void cut_short() override;
  void refuse() override;
  bool disconnect(Blame blame) override;
  // A client whose handshake was refused may have sent frames already.
  bool client_may_send() const override { return !request_complete_ || handshake_ != nullptr; }
  Activity activity() const override;
  std::chrono::milliseconds next_deadline() const override;
  void on_deadline(std::chrono::milliseconds now) override;
  void log(std::string_view what) const override;

  // --- by the transport ---

  void exchange_ended();

 private:
  enum class Phase : std::uint8_t {
    Idle,       // no byte of a request is here
    Head,       // a request head is coming in
    Exchange,   // a request is being received or answered
    Handshake,  // the application is asked whether it accepts a WebSocket
    Over,       // the connection ends
  };

  void handle_events();
  void begin_request();
  void end_request();
  void refuse_request(const http1::ProtocolError& error);
  void begin_handshake();
  void refuse(int status, std::string_view text);
  void end();
  bool client_owes_content() const;

  SessionHost& host_;
  Connection& connection_;
  http1::Http1Protocol protocol_;
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
