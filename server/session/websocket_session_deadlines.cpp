// What a WebSocket waits for, and what it does when that takes too long; as session_deadlines.cpp.
#include <algorithm>

#include "server/session/session.h"
#include "server/session/websocket_session.h"

namespace cppasgi::session {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

// A message that comes in parts brings so much in each of its times, or its end: or else a byte now
// and then would keep it, and its memory, for ever.
constexpr std::uint64_t kLeastMessageBytes = 16 * 1024;

}  // namespace

milliseconds WebSocketSession::next_deadline() const {
  const Timeouts& timeouts = session_.host().options.timeouts;
  switch (state_) {
    case State::Connecting:
      return deadline_after(since_, timeouts.websocket_handshake);
    case State::Open:
      return std::min({deadline_after(since_, ping_outstanding_ ? timeouts.ping_timeout
                                                                : timeouts.ping_interval),
                       deadline_after(opened_, timeouts.websocket_age),
                       deadline_after(last_message_, timeouts.websocket_idle), message_deadline()});
    case State::Closing:
      return deadline_after(since_, timeouts.websocket_close);
    case State::Denying:
    case State::Over:
      break;
  }
  return milliseconds::max();
}

// Reading the clock for each message is worth it only to whom the time matters.
void WebSocketSession::note_message() {
  const SessionHost& host = session_.host();
  if (host.options.timeouts.websocket_idle.count() != 0) last_message_ = host.now();
}

// Another message is unfinished than before, or none any more.
void WebSocketSession::watch_message() {
  watched_message_ = protocol_.unfinished_message();
  message_bytes_ = 0;
  expect_message();
}

void WebSocketSession::expect_message() {
  if (watched_message_ == 0) return;
  message_since_ = session_.host().now();
  session_.expect_deadline(message_deadline());
}

milliseconds WebSocketSession::message_deadline() const {
  if (watched_message_ == 0) return milliseconds::max();
  return deadline_after(message_since_, session_.host().options.timeouts.websocket_message);
}

// A client whose bytes aren't read, since the application takes nothing, has time.
void WebSocketSession::on_message_deadline(milliseconds now) {
  const std::uint64_t bytes = protocol_.unfinished_bytes();
  if (session_.reads() && bytes - message_bytes_ < kLeastMessageBytes) {
    metrics().count(Limit::TimeoutWebSocketMessage);
    protocol_.give_up();
    watched_message_ = 0;
    handle(websocket::ProtocolFailed{websocket::kPolicyViolationCode, "message took too long"});
  } else {
    message_since_ = now;
    message_bytes_ = bytes;
  }
}

void WebSocketSession::on_deadline(milliseconds now) {
  if (state_ == State::Connecting) {
    session_.log("the application did not answer the opening handshake in time");
    metrics().count(Limit::WebSocketConnectTimeout);
    refuse(503, "Service Unavailable", Handshake::Timeout);
  } else if (state_ == State::Open) {
    on_open_deadline(now);
  } else if (session_.unsent_bytes() != 0) {
    since_ = now;  // a slow client has yet to read our close frame; one that reads nothing is cut
  } else {
    metrics().count(Limit::TimeoutWebSocketClose);
    session_.cut();
  }
}

void WebSocketSession::on_open_deadline(milliseconds now) {
  const Timeouts& timeouts = session_.host().options.timeouts;
  if (deadline_after(opened_, timeouts.websocket_age) <= now) {
    metrics().count(Limit::WebSocketTimeout);
    close(1000, "Open for too long");
  } else if (deadline_after(last_message_, timeouts.websocket_idle) <= now) {
    metrics().count(Limit::TimeoutWebSocketIdle);
    close(1000, "Idle for too long");
  } else if (message_deadline() <= now) {
    on_message_deadline(now);
  } else if (!ping_outstanding_) {
    protocol_.send_ping({});
    pinged_ = steady_clock::now();
    ping_outstanding_ = timeouts.ping_timeout.count() != 0;
    since_ = now;
    session_.flush_later();
  } else if (inbox_is_full() || session_.client_reads_on(now)) {
    // The client's pong may lie unread, or our ping lies behind what the client is still reading.
    ping_outstanding_ = false;
    since_ = now;
  } else {
    metrics().count(Limit::PingTimeout);
    session_.cut();
  }
}

}  // namespace cppasgi::session
