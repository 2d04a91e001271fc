#include "server/session/drivers/websocket_driver.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "server/session/drivers/protocols.h"

namespace cppasgi::session {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

// A message is unmasked and copied where it was read: with longer pieces it leaves the cache in
// between.
constexpr std::size_t kMessagePieceBytes = 64 * 1024;

// A message that comes in parts brings so much in each of its times, or its end. A byte now and
// then would keep it, and its memory, for ever.
constexpr std::uint64_t kLeastMessageBytes = 16 * 1024;

Watermarks unsent_marks(const WebSocketLimits& limits) {
  return {limits.max_unsent_bytes, limits.max_unsent_bytes / 2};
}

}  // namespace

std::unique_ptr<Driver> make_websocket_driver(SessionHost& host, Transport& transport,
                                              std::unique_ptr<WebSocketSession> session) {
  return std::make_unique<WebSocketDriver>(host, transport, std::move(session));
}

WebSocketDriver::WebSocketDriver(SessionHost& host, Transport& transport,
                                 std::unique_ptr<WebSocketSession> session)
    : Driver({unsent_marks(host.options.websocket), kMessagePieceBytes}),
      host_(host),
      transport_(transport),
      session_(std::move(session)),
      opened_(host.now()),
      heard_(opened_) {}

// --- input ---

std::size_t WebSocketDriver::receive(std::span<char> bytes) {
  if (session_->state() == State::Over) return bytes.size();
  if (session_->state() == State::Open) {  // after our close frame only the peer's counts
    heard_ = host_.now();
    if (std::exchange(ping_outstanding_, false)) host_.expect_deadline(next_deadline());
  }
  websocket::WebSocketProtocol& protocol = session_->protocol();
  protocol.receive_data(bytes);
  for (const websocket::Event& event : protocol.events()) {
    handle(event);
    if (session_->state() == State::Over) return bytes.size();
  }
  if (protocol.unfinished_message() != watched_message_) {
    watched_message_ = protocol.unfinished_message();
    message_bytes_ = 0;
    expect_message();
  }
  return bytes.size();
}

void WebSocketDriver::handle(const websocket::Event& event) {
  using Kind = WebSocketMessage::Kind;
  if (const auto* text = std::get_if<websocket::TextReceived>(&event)) {
    session_->deliver({Kind::Text, session_->protocol().take(text->text)});
  } else if (const auto* binary = std::get_if<websocket::BinaryReceived>(&event)) {
    session_->deliver({Kind::Binary, session_->protocol().take(binary->bytes)});
  } else if (std::holds_alternative<websocket::PingReceived>(event)) {
    transport_.flush_later();  // the protocol has answered
  } else if (std::holds_alternative<websocket::PongReceived>(event)) {
    if (pinged_ == steady_clock::time_point{}) return;  // nobody asked
    host_.metrics->ping_duration.observe(steady_clock::now() - std::exchange(pinged_, {}));
  } else if (const auto* close = std::get_if<websocket::CloseReceived>(&event)) {
    const std::string reason(close->reason);
    transport_.end();
    session_->disconnect(close->code, reason);
  } else {
    fail(std::get<websocket::ProtocolFailed>(event));
  }
}

// The WebSocket ends with the batch: the application may answer the messages that came before.
void WebSocketDriver::fail(const websocket::ProtocolFailed& failure) {
  log(failure.detail);
  if (failure.close_code == websocket::kMessageTooBigCode) {
    host_.metrics->count(failure.detail == websocket::kFrameTooBig ? Limit::WebSocketFrameSize
                                                                   : Limit::WebSocketMessageSize);
  } else if (failure.close_code == websocket::kTryAgainLaterCode) {
    host_.metrics->count(Limit::WebSocketUnfinished);
  }
  failure_ = failure;
  transport_.resume_later();
}

void WebSocketDriver::resume() {
  if (failure_.close_code == 0) return;
  if (host_.options.daphne_strict) return transport_.cut(Blame::Client);
  session_->protocol().send_close(failure_.close_code, failure_.detail);
  transport_.end();
  session_->disconnect(1006, failure_.detail, failure_.close_code);
}

// A client's pings make us send: it has to read the pongs.
bool WebSocketDriver::is_full() { return session_->inbox_is_full() || !transport_.poll_writable(); }

void WebSocketDriver::on_reading(bool reads) {
  if (reads) {
    expect_message();
  } else if (session_->inbox_is_full()) {
    host_.metrics->count(Limit::WebSocketQueue);
  }
}

void WebSocketDriver::on_end(bool) { transport_.cut(Blame::Client); }

bool WebSocketDriver::disconnect(Blame) {
  session_->disconnect(1006, {}, failure_.close_code);
  return false;
}

Activity WebSocketDriver::activity() const {
  Activity activity;
  activity.in_progress.websockets = 1;
  activity.client_returns = session_->state() == State::Open;
  if (session_->state() == State::Over) activity.idle_since = session_->since();
  return activity;
}

// --- time ---

milliseconds WebSocketDriver::next_deadline() const {
  const Timeouts& timeouts = host_.options.timeouts;
  switch (session_->state()) {
    case State::Open:
      return std::min({deadline_after(heard_, ping_outstanding_ ? timeouts.ping_timeout
                                                                : timeouts.ping_interval),
                       deadline_after(opened_, timeouts.websocket_age),
                       deadline_after(session_->last_message(), timeouts.websocket_idle),
                       message_deadline()});
    case State::Closing:
      return deadline_after(std::max(session_->since(), heard_), timeouts.websocket_close);
    case State::Over:
      break;
  }
  return milliseconds::max();
}

void WebSocketDriver::on_deadline(milliseconds now) {
  if (session_->state() == State::Open) {
    on_open_deadline(now);
  } else if (transport_.unsent_bytes() != 0) {
    heard_ = now;  // a slow client has yet to read our close frame; one that reads nothing is cut
  } else {
    host_.metrics->count(Limit::TimeoutWebSocketClose);
    transport_.cut(Blame::Client);
  }
}

void WebSocketDriver::on_open_deadline(milliseconds now) {
  const Timeouts& timeouts = host_.options.timeouts;
  if (deadline_after(opened_, timeouts.websocket_age) <= now) {
    host_.metrics->count(Limit::WebSocketTimeout);
    session_->close(1000, "Open for too long");
  } else if (deadline_after(session_->last_message(), timeouts.websocket_idle) <= now) {
    host_.metrics->count(Limit::TimeoutWebSocketIdle);
    session_->close(1000, "Idle for too long");
  } else if (message_deadline() <= now) {
    on_message_deadline(now);
  } else {
    on_ping_deadline(now);
  }
}

void WebSocketDriver::on_ping_deadline(milliseconds now) {
  if (!ping_outstanding_) {
    session_->protocol().send_ping({});
    pinged_ = steady_clock::now();
    ping_outstanding_ = host_.options.timeouts.ping_timeout.count() != 0;
    heard_ = now;
    transport_.flush_later();
  } else if (session_->inbox_is_full() || transport_.client_reads_on(now)) {
    // The client's pong may lie unread, or our ping lies behind what the client is still reading.
    ping_outstanding_ = false;
    heard_ = now;
  } else {
    host_.metrics->count(Limit::PingTimeout);
    transport_.cut(Blame::Client);
  }
}

// The peer is read again, or another message has begun, so the rest of it has to come.
void WebSocketDriver::expect_message() {
  if (watched_message_ == 0) return;
  message_since_ = host_.now();
  host_.expect_deadline(message_deadline());
}

milliseconds WebSocketDriver::message_deadline() const {
  if (watched_message_ == 0) return milliseconds::max();
  return deadline_after(message_since_, host_.options.timeouts.websocket_message);
}

// A client whose bytes aren't read, since the application takes nothing, has time.
void WebSocketDriver::on_message_deadline(milliseconds now) {
  const std::uint64_t bytes = session_->protocol().unfinished_bytes();
  if (transport_.reads() && bytes - message_bytes_ < kLeastMessageBytes) {
    host_.metrics->count(Limit::TimeoutWebSocketMessage);
    session_->protocol().give_up();
    watched_message_ = 0;
    fail({websocket::kPolicyViolationCode, "message took too long"});
  } else {
    message_since_ = now;
    message_bytes_ = bytes;
  }
}

}  // namespace cppasgi::session
