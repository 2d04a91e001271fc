#include "server/session/websocket_session.h"

#include <cstddef>
#include <utility>
#include <variant>

#include "server/base/release.h"
#include "server/http/target.h"
#include "server/session/session.h"

namespace cppasgi::session {

using std::chrono::steady_clock;

namespace {

// Of keeping a message: empty ones take memory too.
std::size_t cost(const WebSocketMessage& message) {
  return sizeof message + message.payload.size();
}

}  // namespace

WebSocketSession::WebSocketSession(Session& session, const websocket::OpeningHandshake& handshake)
    : session_(session),
      protocol_(session.host().options.websocket, session.host().message_memory),
      key_(handshake.key),
      path_(http::split_target(session.http().request().target()).raw_path),
      subprotocols_(handshake.subprotocols.begin(), handshake.subprotocols.end()),
      deflate_offer_(handshake.deflate),
      since_(session.host().now()) {}

WebSocketSession::~WebSocketSession() {
  session_.host().websockets.erase(id_);
  metrics().messages_queued.subtract(inbox_.size() - inbox_begin_);
}

Metrics& WebSocketSession::metrics() const { return *session_.host().metrics; }

void WebSocketSession::begin() {
  log_access("WSCONNECTING");
  SessionHost& host = session_.host();
  id_ = host.websockets.insert(*this);
  session_.expect_deadline(next_deadline());
  host.application.start_websocket({host.websockets, id_});
}

// --- input ---

void WebSocketSession::receive(std::span<char> bytes) {
  if (state_ == State::Open) {  // once we have sent a close frame, only the peer's counts
    since_ = session_.host().now();
    if (std::exchange(ping_outstanding_, false)) session_.expect_deadline(next_deadline());
  }
  protocol_.receive_data(bytes);
  for (const websocket::Event& event : protocol_.events()) {
    std::visit([this](const auto& alternative) { handle(alternative); }, event);
    if (state_ == State::Over) return;
  }
  if (protocol_.unfinished_message() != watched_message_) watch_message();
}

void WebSocketSession::handle(const websocket::TextReceived& event) {
  deliver(WebSocketMessage::Kind::Text, event.text);
}

void WebSocketSession::handle(const websocket::BinaryReceived& event) {
  deliver(WebSocketMessage::Kind::Binary, event.bytes);
}

void WebSocketSession::handle(const websocket::PingReceived&) { session_.flush_later(); }

void WebSocketSession::handle(const websocket::PongReceived&) {
  if (pinged_ == steady_clock::time_point{}) return;  // nobody asked
  metrics().ping_duration.observe(steady_clock::now() - std::exchange(pinged_, {}));
}

void WebSocketSession::handle(const websocket::CloseReceived& event) {
  const std::string reason(event.reason);
  session_.close_after_flush();
  disconnect(event.code, reason);
}

// Only at the end of the batch: the application may answer the messages that came before.
void WebSocketSession::handle(const websocket::ProtocolFailed& event) {
  session_.log(event.detail);
  if (event.close_code == websocket::kMessageTooBigCode) {
    metrics().count(event.detail == websocket::kFrameTooBig ? Limit::WebSocketFrameSize
                                                            : Limit::WebSocketMessageSize);
  } else if (event.close_code == websocket::kTryAgainLaterCode) {
    metrics().count(Limit::WebSocketUnfinished);
  }
  if (close_code_ == 0) close_code_ = event.close_code;
  failure_ = event;
  session_.host().fail_later(session_);
}

void WebSocketSession::finish_failure() {
  if (failure_.close_code == 0) return;
  if (session_.host().options.daphne_strict) return session_.cut();
  protocol_.send_close(failure_.close_code, failure_.detail);
  session_.close_after_flush();
  disconnect(1006, failure_.detail);
}

void WebSocketSession::deliver(WebSocketMessage::Kind kind, std::string_view payload) {
  if (state_ != State::Open) return;       // after our close frame nobody reads them
  if (inbox_begin_ > inbox_.size() / 2) {  // never empty, else take_message had begun anew
    inbox_.erase(inbox_.begin(), inbox_.begin() + static_cast<std::ptrdiff_t>(inbox_begin_));
    inbox_begin_ = 0;
  }
  inbox_.push_back({kind, protocol_.take(payload)});
  inbox_bytes_ += cost(inbox_.back());
  metrics().messages_received.add();
  metrics().messages_queued.add();
  note_message();
  if (handler_ != nullptr) handler_->on_message();
}

// Messages that nobody will take any more don't keep the peer's close frame from us.
bool WebSocketSession::inbox_is_full() const {
  const ServerOptions& options = session_.host().options;
  return state_ == State::Open &&
         (inbox_bytes_ > options.incoming.high_bytes ||
          inbox_.size() - inbox_begin_ >= options.websocket.max_queued_messages);
}

bool WebSocketSession::take_message(WebSocketMessage& message) {
  if (inbox_begin_ == inbox_.size()) return false;
  message = std::move(inbox_[inbox_begin_++]);
  inbox_bytes_ -= cost(message);
  metrics().messages_queued.subtract();
  if (inbox_begin_ == inbox_.size()) {
    inbox_begin_ = 0;
    if (inbox_.capacity() > 1) release(inbox_);
    inbox_.clear();
  }
  session_.content_taken();
  return true;
}

// --- the application's answer to the opening handshake ---

const http::RequestHead& WebSocketSession::request() const { return session_.http().request(); }

const ConnectionInfo& WebSocketSession::connection() const { return session_.connection(); }

void WebSocketSession::accept(std::string_view subprotocol, const std::vector<http::Field>& given) {
  if (state_ != State::Connecting) return;
  std::vector<http::Field> fields = given;
  for (const auto& [name, value] : session_.host().options.headers) {
    if (!http::has_field(given, name)) fields.push_back({name, value});
  }
  state_ = State::Open;
  since_ = opened_ = last_message_ = session_.host().now();
  log_access("WSCONNECT");
  metrics().websockets.add();
  metrics().count(Handshake::Accepted);
  websocket::write_accept_response(protocol_.bytes_to_send(), key_, subprotocol,
                                   accept_extensions(), fields);
  release(key_);
  // Other formats name fields of it when the connection ends.
  if (session_.host().options.access_log_format == "daphne") session_.http().release_request();
  session_.expect_deadline(next_deadline());
  session_.flush_later();
  session_.host().resume_later(session_);
  if (session_.host().draining()) drain();
}

// The value of Sec-WebSocket-Extensions; empty for none.
std::string WebSocketSession::accept_extensions() {
  auto deflate = deflate_offer_ ? session_.host().deflate.accept(*deflate_offer_) : nullptr;
  if (deflate == nullptr) return {};
  const bool dedicated = session_.host().options.deflate.mode == WebSocketDeflate::Mode::Dedicated;
  if (dedicated && deflate->answer().server_no_context_takeover &&
      !deflate_offer_->server_no_context_takeover) {
    metrics().count(Limit::DeflateMemory);
  }
  std::string extensions = websocket::extension_field(deflate->answer());
  protocol_.enable_deflate(std::move(deflate));
  return extensions;
}

void WebSocketSession::deny_head(const http::ResponseHead& head) {
  state_ = State::Denying;
  metrics().count(Handshake::Denied);
  session_.http().close_after_response();
  session_.http().send_head(head, session_.host().default_fields());
}

SendStatus WebSocketSession::deny_content(std::string_view content, More more) {
  const SendStatus result = session_.http().send_content(content, more);
  if (result == SendStatus::TooLong) return SendStatus::TooLong;
  if (result == SendStatus::TooShort) {
    fail();
    return SendStatus::TooShort;
  }
  if (more == More::No) {
    end_denial();
  } else {
    session_.flush_later();
  }
  return SendStatus::Sent;
}

void WebSocketSession::refuse(int status, std::string_view text, Handshake reason) {
  session_.http().send_error(status, text, session_.host().default_fields());
  if (state_ == State::Connecting) metrics().count(reason);
  state_ = State::Denying;
  end_denial();
}

void WebSocketSession::end_denial() {
  denied_ = true;
  log_access("WSREJECT");
  session_.close_after_flush();
  disconnect(1006, {});
}

// --- output ---

// If so chosen, nobody waits for a client that reads too slowly: it has to go.
bool WebSocketSession::may_send() {
  note_message();
  const bool drops = session_.host().options.websocket.slow_reader == SlowReader::Drop;
  if (!drops || state_ != State::Open || session_.writable()) return true;
  session_.log("the client reads too slowly");
  metrics().count(Limit::WebSocketSlowReader);
  close(1013, "Reads too slowly");
  return false;
}

void WebSocketSession::send_text(std::string_view text) {
  if (!may_send()) return;
  session_.send_after(protocol_.send_text(text));
  note_send();
}

void WebSocketSession::send_binary(std::string_view bytes) {
  if (!may_send()) return;
  session_.send_after(protocol_.send_binary(bytes));
  note_send();
}

void WebSocketSession::note_send() {
  if (state_ != State::Open) return;  // nothing follows our close frame
  metrics().messages_sent.add();
  if (writable()) {
    metrics().send_duration.observe_none();
  } else if (sends_waiting_++ == 0) {
    waiting_since_ = steady_clock::now();
    metrics().count(Limit::WebSocketUnsent);
  }
}

// The sends that wait go on, or fail.
void WebSocketSession::end_wait() {
  if (sends_waiting_ == 0) return;
  const steady_clock::duration waited = steady_clock::now() - waiting_since_;
  while (sends_waiting_ != 0) {
    metrics().send_duration.observe(waited);
    --sends_waiting_;
  }
}

bool WebSocketSession::writable() const {
  const bool drops = session_.host().options.websocket.slow_reader == SlowReader::Drop;
  return state_ == State::Closing || (drops && state_ == State::Open) || session_.writable();
}

void WebSocketSession::resume_sending() {
  end_wait();
  if (handler_ != nullptr) handler_->on_writable();
}

// --- the end ---

void WebSocketSession::close(std::uint16_t code, std::string_view reason) {
  if (state_ == State::Connecting) {
    refuse(403, "Forbidden", Handshake::Forbidden);
  } else if (state_ == State::Open) {
    state_ = State::Closing;
    close_code_ = code;
    since_ = session_.host().now();
    protocol_.send_close(code, reason);
    session_.expect_deadline(next_deadline());
    session_.content_taken();
    session_.flush_later();
  }
}

void WebSocketSession::fail() {
  if (state_ == State::Connecting ||
      (state_ == State::Denying && !session_.http().response_started())) {
    refuse(500, "Internal Server Error", Handshake::ApplicationError);
  } else if (state_ == State::Denying) {
    session_.cut();
  } else {
    close(1011, {});
  }
}

void WebSocketSession::drain() {
  if (state_ != State::Open) return;
  if (session_.host().departure == Departure::Restart) {
    close(1012, "Server is restarting");
  } else {
    close(1001, "Server is shutting down");
  }
}

void WebSocketSession::disconnect(std::uint16_t code, std::string_view reason) {
  if (state_ == State::Over) return;
  end_wait();
  if (state_ == State::Open || state_ == State::Closing) {
    const std::uint16_t counted = close_code_ == 0 ? code : close_code_;
    log_access("WSDISCONNECT", Ending::Whole, counted);
    metrics().websockets.subtract();
    metrics().count_disconnect(counted);
  } else if (state_ == State::Connecting) {
    log_access("WSDISCONNECT", Ending::Whole, code);
    metrics().count(Handshake::ClientLeft);
  } else if (!denied_) {
    log_access("WSREJECT", Ending::Cut);
  }
  state_ = State::Over;
  if (handler_ != nullptr) std::exchange(handler_, nullptr)->on_disconnect(code, reason);
  session_.host().websockets.erase(id_);
}

void WebSocketSession::log_access(std::string_view event, Ending ending,
                                  std::uint16_t close_code) const {
  session_.log_websocket(event, path_, ending, close_code);
}

}  // namespace cppasgi::session
