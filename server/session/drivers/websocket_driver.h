// A WebSocket's bytes: what the peer's frames mean for the session, and the times that a peer has
// (RFC 6455 5.5 and 7). Runs over any Transport. Loop thread only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "server/session/connection/transport.h"
#include "server/session/exchange/websocket_session.h"
#include "server/session/session_host.h"

namespace cppasgi::session {

class WebSocketDriver final : public Driver {
 public:
  // `host` and `transport` must outlive the driver.
  WebSocketDriver(SessionHost& host, Transport& transport,
                  std::unique_ptr<WebSocketSession> session);

  std::size_t receive(std::span<char> bytes) override;
  bool is_full() override;
  void on_reading(bool reads) override;
  void resume() override;
  void on_end(bool kept) override;
  OutputBuffer& bytes_to_send() override { return session_->protocol().bytes_to_send(); }
  void on_writable() override { session_->resume_sending(); }
  void drain() override { session_->drain(); }
  void cut_short() override { transport_.cut(Blame::Client); }
  bool disconnect(Blame blame) override;
  bool client_may_send() const override { return !session_->protocol().close_received(); }
  Activity activity() const override;
  std::chrono::milliseconds next_deadline() const override;
  void on_deadline(std::chrono::milliseconds now) override;
  void log(std::string_view what) const override { session_->log(what); }

 private:
  using State = WebSocketSession::State;

  void handle(const websocket::Event& event);
  void fail(const websocket::ProtocolFailed& failure);
  void expect_message();
  std::chrono::milliseconds message_deadline() const;
  void on_open_deadline(std::chrono::milliseconds now);
  void on_message_deadline(std::chrono::milliseconds now);
  void on_ping_deadline(std::chrono::milliseconds now);

  SessionHost& host_;
  Transport& transport_;
  const std::unique_ptr<WebSocketSession> session_;
  websocket::ProtocolFailed failure_{0, {}};      // code 0: none
  const std::chrono::milliseconds opened_;        // when it was accepted
  std::chrono::milliseconds heard_;               // the last sign of life, or our ping
  std::chrono::steady_clock::time_point pinged_;  // our latest unanswered ping; 0: none
  std::chrono::milliseconds message_since_{0};  // since when watched_message_ has had as many bytes
  std::uint64_t message_bytes_ = 0;             // as these
  std::uint32_t watched_message_ = 0;           // as WebSocketProtocol::unfinished_message()
  bool ping_outstanding_ = false;
};

}  // namespace cppasgi::session
