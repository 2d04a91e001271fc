#include "server/session/exchange/websocket_session.h"

#include <utility>

namespace cppasgi::session {

using std::chrono::steady_clock;

WebSocketSession::WebSocketSession(SessionHost& host, Transport& transport,
                                   WebSocketRequest request, SlotId id, WebSocketHandler* handler,
                                   std::unique_ptr<websocket::MessageDeflate> deflate)
    : host_(host),
      transport_(transport),
      id_(id),
      handler_(handler),
      request_(std::move(request)),
      protocol_(host.options.websocket, host.message_memory),
      since_(host.now()),
      last_message_(since_) {
  host_.metrics->websockets.add();
  if (deflate != nullptr) protocol_.enable_deflate(std::move(deflate));
}

WebSocketSession::~WebSocketSession() {
  host_.websockets.erase(id_);
  host_.metrics->messages_queued.subtract(inbox_.size());
}

// Reading the clock for each message is worth it only to whom the time matters.
void WebSocketSession::note_message() {
  if (host_.options.timeouts.websocket_idle.count() != 0) last_message_ = host_.now();
}

// --- the peer's messages ---

void WebSocketSession::deliver(WebSocketMessage message) {
  if (state_ != State::Open) return;  // after our close frame nobody reads them
  inbox_.push(std::move(message));
  host_.metrics->messages_received.add();
  host_.metrics->messages_queued.add();
  note_message();
  if (handler_ != nullptr) handler_->on_message();
}

// Messages that nobody will take any more don't keep the peer's close frame from us.
bool WebSocketSession::inbox_is_full() const {
  return state_ == State::Open && (inbox_.bytes() > host_.options.incoming.high_bytes ||
                                   inbox_.size() >= host_.options.websocket.max_queued_messages);
}

bool WebSocketSession::take_message(WebSocketMessage& message) {
  if (inbox_.size() == 0) return false;
  message = inbox_.pop();
  host_.metrics->messages_queued.subtract();
  transport_.input_taken();
  return true;
}

// --- the application's messages ---

bool WebSocketSession::drops_slow_reader() const {
  return state_ == State::Open && host_.options.websocket.slow_reader == SlowReader::Drop;
}

void WebSocketSession::send(WebSocketMessage::Kind kind, std::string_view payload) {
  note_message();
  // If so chosen, nobody waits for a client that reads too slowly: it has to go.
  if (drops_slow_reader() && !transport_.poll_writable()) {
    log("the client reads too slowly");
    host_.metrics->count(Limit::WebSocketSlowReader);
    return close(1013, "Reads too slowly");
  }
  transport_.send_after(kind == WebSocketMessage::Kind::Text ? protocol_.send_text(payload)
                                                             : protocol_.send_binary(payload));
  if (state_ != State::Open) return;  // nothing follows our close frame
  host_.metrics->messages_sent.add();
  if (poll_writable()) {
    host_.metrics->send_duration.observe_none();
  } else if (sends_waiting_++ == 0) {
    waiting_since_ = steady_clock::now();
    host_.metrics->count(Limit::WebSocketUnsent);
  }
}

bool WebSocketSession::poll_writable() {
  return state_ == State::Closing || drops_slow_reader() || transport_.poll_writable();
}

void WebSocketSession::resume_sending() {
  end_waits();
  if (handler_ != nullptr) handler_->on_writable();
}

// The sends that wait go on, or fail.
void WebSocketSession::end_waits() {
  if (sends_waiting_ == 0) return;
  const steady_clock::duration waited = steady_clock::now() - waiting_since_;
  while (sends_waiting_ != 0) {
    host_.metrics->send_duration.observe(waited);
    --sends_waiting_;
  }
}

// --- the end ---

void WebSocketSession::close(std::uint16_t code, std::string_view reason) {
  if (state_ != State::Open) return;
  state_ = State::Closing;
  close_code_ = code;
  since_ = host_.now();
  protocol_.send_close(code, reason);
  host_.expect_deadline(deadline_after(since_, host_.options.timeouts.websocket_close));
  transport_.input_taken();
  transport_.flush_later();
}

void WebSocketSession::drain() {
  if (host_.shutdown_reason == ShutdownReason::Restart) {
    close(1012, "Server is restarting");
  } else {
    close(1001, "Server is shutting down");
  }
}

void WebSocketSession::disconnect(std::uint16_t code, std::string_view reason,
                                  std::uint16_t counted) {
  if (state_ == State::Over) return;
  end_waits();
  if (close_code_ != 0) counted = close_code_;
  if (counted == 0) counted = code;
  request_.log(host_, "WSDISCONNECT", Ending::Whole, counted);
  host_.metrics->websockets.subtract();
  host_.metrics->count_disconnect(counted);
  state_ = State::Over;
  since_ = host_.now();
  if (handler_ != nullptr) std::exchange(handler_, nullptr)->on_disconnect(code, reason);
  host_.websockets.erase(id_);
}

void WebSocketSession::log(std::string_view what) const {
  host_.log(what, &request_.info().client);
}

}  // namespace cppasgi::session
