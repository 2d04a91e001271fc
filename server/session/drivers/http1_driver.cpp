#include "server/session/drivers/http1_driver.h"

#include <utility>
#include <variant>

#include "server/session/drivers/protocols.h"

namespace cppasgi::session {

using std::chrono::milliseconds;

std::unique_ptr<Driver> make_http1_driver(SessionHost& host, Connection& connection) {
  return std::make_unique<Http1Driver>(host, connection);
}

Http1Driver::Http1Driver(SessionHost& host, Connection& connection)
    : Driver({host.options.outgoing}),
      host_(host),
      connection_(connection),
      protocol_(host.options.http),
      transport_(host, connection, protocol_, *this),
      exchange_(host, transport_),
      since_(host.now()) {}

// --- input ---

// Feeds the protocol as far as it goes.
std::size_t Http1Driver::receive(std::span<char> bytes) {
  std::string_view left(bytes.data(), bytes.size());
  while (!left.empty()) {
    if (phase_ == Phase::Idle) {
      // A client that doesn't read responses gets no further ones.
      if (!connection_.poll_writable()) break;
      phase_ = Phase::Head;
      since_ = host_.now();
      host_.expect_deadline(next_deadline());
      transport_.log().begin_head();
    } else if (phase_ != Phase::Head && (phase_ != Phase::Exchange || request_complete_)) {
      break;
    }
    left.remove_prefix(protocol_.receive_data(left));
    handle_events();
  }
  left_some_ = !left.empty();
  return bytes.size() - left.size();
}

// An answer given meanwhile takes effect after the last event, so that each is handled in its own
// request's time.
void Http1Driver::handle_events() {
  handling_events_ = true;
  for (const http1::Event& event : protocol_.events()) {
    if (std::holds_alternative<http1::RequestReceived>(event)) {
      begin_request();
    } else if (const auto* content = std::get_if<http1::ContentReceived>(&event)) {
      if (phase_ == Phase::Exchange) since_ = host_.now();
      exchange_.receive(content->bytes);
    } else if (const auto* error = std::get_if<http1::ProtocolError>(&event)) {
      refuse_request(*error);
    } else {
      end_request();
    }
    if (phase_ == Phase::Over) break;
  }
  handling_events_ = false;
  if (phase_ != Phase::Exchange) return;
  if (protocol_.response_ended()) {
    exchange_ended();
  } else if (!request_complete_ || host_.options.timeouts.response_start.count() != 0) {
    host_.expect_deadline(next_deadline());
  }
}

void Http1Driver::begin_request() {
  transport_.begin_request();
  request_complete_ = false;
  const bool last = ++requests_ == host_.options.connections.max_requests;
  if (last) host_.metrics->count(Limit::KeepAliveRequests);
  if (last || host_.draining()) protocol_.close_after_response();
  // An opening handshake has no content for an application to wait for: it stays under the head's
  // deadline until its end.
  upgrade_asked_ = websocket::is_websocket_upgrade(protocol_.request());
  if (upgrade_asked_) return;
  phase_ = Phase::Exchange;
  since_ = host_.now();
  transport_.log().begin_exchange();
  exchange_.begin(protocol_.request(), transport_.connection());
}

void Http1Driver::end_request() {
  request_complete_ = true;
  if (upgrade_asked_) return begin_handshake();
  if (phase_ == Phase::Exchange) since_ = host_.now();
  exchange_.receive_end();
}

void Http1Driver::refuse_request(const http1::ProtocolError& error) {
  if (protocol_.response_ended()) return;  // what follows it isn't wanted
  log(error.detail);
  if (error.status == 413) {
    host_.metrics->count(Limit::RequestBody);
  } else if (error.status == 414) {
    host_.metrics->count(Limit::RequestLine);
  } else if (error.status == 431) {
    const bool many = protocol_.request().field_count() > host_.options.http.max_header_count;
    host_.metrics->count(many ? Limit::RequestFields : Limit::RequestHeader);
  }
  request_complete_ = false;
  refuse(error.status, error.detail);
}

void Http1Driver::begin_handshake() {
  auto result = websocket::check_handshake(protocol_.request());
  protocol_.close_after_response();
  if (auto* error = std::get_if<websocket::HandshakeError>(&result)) {
    log(error->detail);
    host_.metrics->count(error->status == 426 ? Handshake::Version : Handshake::Invalid);
    http::ResponseHead head{error->status, error->fields};
    head.fields.push_back({"content-type", "text/plain; charset=utf-8"});
    transport_.send_head(head);
    transport_.send_content(error->detail, More::No);
    transport_.log_request(error->status);
    return end();
  }
  phase_ = Phase::Handshake;
  handshake_ = std::make_unique<WebSocketHandshake>(host_, transport_, connection_,
                                                    std::get<websocket::OpeningHandshake>(result),
                                                    transport_.take_request());
  handshake_->begin();
}

// A client that may send on has its time anew.
void Http1Driver::on_reading(bool reads) {
  if (!reads || phase_ != Phase::Exchange || request_complete_) return;
  since_ = host_.now();
  host_.expect_deadline(next_deadline());
}

// After the client's last byte: it may still read answers to the requests that are complete.
// Nothing else can become of a request that breaks off, or of a WebSocket.
void Http1Driver::on_end(bool kept) {
  if (phase_ == Phase::Handshake) return connection_.cut(Blame::Client);
  if (kept) return;
  if (phase_ == Phase::Exchange) {
    if (!request_complete_) return connection_.cut(Blame::Client);
    return protocol_.close_after_response();
  }
  if (phase_ == Phase::Head && !protocol_.between_requests()) transport_.log_cut(Blame::Client, 0);
  end();
}

// --- output ---

void Http1Driver::on_writable() {
  transport_.log().finish_late(Ending::Whole);
  exchange_.resume_sending();
}

void Http1Driver::exchange_ended() {
  if (phase_ == Phase::Handshake) return end();
  if (handling_events_) return;  // handle_events() comes back to it
  transport_.log_response();
  if (!protocol_.keep_alive()) return end();
  transport_.next_request();
  phase_ = Phase::Idle;
  since_ = host_.now();
  host_.expect_deadline(next_deadline());
  if (left_some_) connection_.resume_later();
  connection_.input_taken();  // what the application left of the content is gone
}

// --- ends ---

void Http1Driver::end() {
  phase_ = Phase::Over;
  since_ = host_.now();
  connection_.end();
}

// The server's own answer instead of the application's, if there is still time for one.
void Http1Driver::refuse(int status, std::string_view text) {
  if (protocol_.response_started()) return connection_.cut(Blame::Server);
  exchange_.disconnect();
  transport_.send_error(status, text);
  transport_.log_request(status);
  end();
}

void Http1Driver::refuse() {
  request_complete_ = false;
  refuse(503, "Too many connections");
}

void Http1Driver::drain() {
  switch (phase_) {
    case Phase::Idle:
      if (requests_ != 0 && host_.shutdown_reason == ShutdownReason::Stop) return end();
      break;
    case Phase::Exchange:
      protocol_.close_after_response();
      if (activity().client_returns) exchange_.end_events();
      return;
    case Phase::Head:  // the rest of it has to come soon
      protocol_.close_after_response();
      break;
    case Phase::Handshake:
    case Phase::Over:
      return;
  }
  since_ = host_.now();
  host_.expect_deadline(next_deadline());
}

void Http1Driver::cut_short() {
  switch (phase_) {
    case Phase::Exchange:
      refuse(503, "Server is shutting down");
      break;
    case Phase::Handshake:
      connection_.cut(Blame::Client);
      break;
    case Phase::Idle:
    case Phase::Head:
      // A client that is still being sent its response may read it.
      if (connection_.unsent_bytes() == 0) connection_.cut(Blame::Server);
      break;
    case Phase::Over:
      break;
  }
}

bool Http1Driver::disconnect(Blame blame) {
  const Phase phase = std::exchange(phase_, Phase::Over);
  // The client may have all before the application says that it was the last.
  const bool complete = phase == Phase::Exchange && exchange_.active() &&
                        !exchange_.file().is_open() && connection_.unsent_bytes() == 0 &&
                        protocol_.response_has_all_content();
  if (complete) {
    transport_.log_request(protocol_.response_status());
  } else if (phase == Phase::Exchange || (phase == Phase::Head && !protocol_.between_requests())) {
    transport_.log_cut(blame, exchange_.file().size());
  } else {
    transport_.log().finish_late(Ending::Cut, transport_.missing_bytes());
  }
  const bool denied = phase == Phase::Handshake && !handshake_->is_connecting();
  exchange_.disconnect();
  if (handshake_ != nullptr) handshake_->disconnect();
  // A response that lasts until the connection's end would look complete.
  return (phase == Phase::Exchange && !complete) || denied;
}

}  // namespace cppasgi::session
