#include "server/session/session.h"

#include <utility>
#include <variant>

#include "server/base/release.h"
#include "server/session/proxy_headers.h"

namespace cppasgi::session {

using std::chrono::milliseconds;

namespace {

// A message is unmasked and copied where it was read: with longer pieces it leaves the cache in
// between.
constexpr std::size_t kMessagePieceBytes = 64 * 1024;

}  // namespace

Session::Session(SessionHost& host, std::unique_ptr<net::Stream> stream)
    : host_(host),
      stream_(std::move(stream)),
      connection_{stream_->peer(), stream_->local()},
      http_(host.options.http),
      exchange_(*this),
      since_(host.now()) {
  host_.metrics->connections.add();
}

Session::~Session() { host_.metrics->connections.subtract(); }

void Session::start() {
  start_reading();
  expect_deadline(next_deadline());
}

// --- input ---

void Session::on_read(std::span<char> bytes) {
  host_.metrics->received_bytes.add(bytes.size());
  receive(bytes);
}

void Session::receive(std::span<char> bytes) {
  if (phase_ == Phase::WebSocket && websocket_->takes_input() && waiting_input_.empty()) {
    websocket_->receive(bytes);
    pause_reading_if_full();
  } else if (phase_ < Phase::Closing) {
    if (waiting_input_.empty()) {
      take_input({bytes.data(), bytes.size()});
    } else {
      keep_input({bytes.data(), bytes.size()});
    }
  }
}

// Feeds the HTTP protocol as far as it goes; the rest waits.
void Session::take_input(std::string_view bytes) {
  while (!bytes.empty() && may_take_input()) {
    if (phase_ == Phase::Idle) {
      if (late_ != nullptr) log_late(Ending::Whole);
      enter(Phase::Head);
    }
    bytes.remove_prefix(http_.receive_data(bytes));
    handle_events();
  }
  // A rest that will never be taken tells finish_sending that the client sends on.
  if (phase_ <= Phase::Closing) keep_input(bytes);
}

bool Session::may_take_input() {
  // Who doesn't read responses gets no further ones.
  if (phase_ == Phase::Idle) return writable();
  return phase_ == Phase::Head || (phase_ == Phase::Exchange && !request_complete_);
}

void Session::keep_input(std::string_view bytes) {
  waiting_input_.append(bytes);
  pause_reading_if_full();
}

void Session::resume() {
  resume_pending = false;
  // It asked for this when it was accepted, maybe from inside the event that brought it.
  if (phase_ == Phase::WebSocket && websocket_->is_open()) http_.end();
  if (phase_ == Phase::Over || waiting_input_.empty()) return;
  if (phase_ == Phase::WebSocket ? !websocket_->takes_input() : !may_take_input()) return;
  std::string input = std::exchange(waiting_input_, {});
  receive(input);
  content_taken();
  finish_input();
  if (!reading_) expect_deadline(presence_deadline());
}

void Session::finish_failure() {
  if (phase_ == Phase::WebSocket) websocket_->finish_failure();
}

bool Session::input_is_full() {
  if (phase_ >= Phase::Closing) return false;  // it is discarded
  if (waiting_input_.size() > host_.options.incoming.high_bytes || exchange_.content_is_full())
    return true;
  // A client's pings make us send: it has to read the pongs.
  return websocket_ != nullptr && (websocket_->inbox_is_full() || !writable());
}

void Session::pause_reading_if_full() {
  if (!reading_ || !input_is_full()) return;
  reading_ = false;
  if (websocket_ != nullptr && websocket_->inbox_is_full())
    host_.metrics->count(Limit::WebSocketQueue);
  stream_->stop_reading();
  ended_or_sent_ = host_.now();
  expect_deadline(presence_deadline());
}

void Session::content_taken() {
  if (reading_ || input_is_full()) return;
  start_reading();
  expect_content();
}

void Session::start_reading() {
  if (client_ended_ || phase_ == Phase::Over) return;
  reading_ = true;
  ended_unread_ = false;
  stream_->start_reading(*this);
}

// An answer given meanwhile takes effect after the last event, so that each is handled in its own
// request's time.
void Session::handle_events() {
  handling_events_ = true;
  for (const http1::Event& event : http_.events()) {
    std::visit([this](const auto& alternative) { handle(alternative); }, event);
    if (phase_ >= Phase::Closing) break;
  }
  handling_events_ = false;
  if (phase_ != Phase::Exchange) return;
  if (http_.response_ended()) {
    finish_exchange();
  } else if (!request_complete_ || host_.options.timeouts.response_start.count() != 0) {
    expect_deadline(phase_deadline());
  }
}

void Session::handle(const http1::RequestReceived&) {
  if (!host_.options.proxy.address.empty()) read_proxy_headers();
  if (http_.has_root_path()) read_root_path();
  if (http_.is_old_handshake() && !host_.met_old_handshake) {
    host_.met_old_handshake = true;
    log("asks for a WebSocket in HTTP/1.0, which has none: a proxy in between must speak HTTP/1.1 "
        "(nginx: proxy_http_version 1.1)");
  }
  if (host_.times_requests) received_ = std::chrono::steady_clock::now();
  request_complete_ = false;
  const bool last = ++requests_ == host_.options.connections.max_requests;
  if (last) host_.metrics->count(Limit::KeepAliveRequests);
  if (last || host_.draining()) http_.close_after_response();
  // An opening handshake has no content for an application to wait for: it stays under the head's
  // deadline until its end.
  upgrade_asked_ = websocket::is_websocket_upgrade(http_.request());
  if (upgrade_asked_) return;
  enter(Phase::Exchange);
  host_.metrics->requests_in_flight.add();
  exchange_.begin();
}

void Session::read_proxy_headers() {
  const ProxyHeaders& proxy = host_.options.proxy;
  if (host_.trusted_proxies.trusts(connection_.client)) {
    forwarded_ = std::make_unique<ConnectionInfo>(
        forwarded_connection(http_.request(), proxy, host_.trusted_proxies, connection_));
  } else if (!host_.doubted_proxy && http_.request().count(proxy.address) != 0) {
    host_.doubted_proxy = true;
    log("names a client, but is no trusted proxy: such fields are ignored");
  }
}

void Session::read_root_path() {
  if (forwarded_) {  // there is what a proxy says, so it is believed
    forwarded_->has_root_path = true;
  } else if (!host_.doubted_root_path && !host_.options.daphne_strict) {
    host_.doubted_root_path = true;
    log("sends Daphne-Root-Path: ignored, as only trusted proxies are believed, with "
        "--proxy-headers");
  }
}

void Session::handle(const http1::ContentReceived& event) {
  if (phase_ == Phase::Exchange) since_ = host_.now();
  exchange_.receive(event.bytes);
}

void Session::handle(const http1::EndOfRequest&) {
  request_complete_ = true;
  if (phase_ == Phase::Exchange) since_ = host_.now();
  if (upgrade_asked_) {
    upgrade();
  } else {
    exchange_.receive_end();
  }
}

void Session::handle(const http1::ProtocolError& event) {
  if (http_.response_ended()) return;  // what follows it isn't wanted
  log(event.detail);
  count_limit(event.status);
  request_complete_ = false;
  refuse(event.status, event.detail);
}

// The server's own answer instead of the application's, if there is still time for one.
void Session::refuse(int status, std::string_view text) {
  if (http_.response_started()) {
    cut(Blame::Server);
    return;
  }
  exchange_.disconnect();
  http_.send_error(status, text, host_.default_fields());
  log_request(status);
  close_after_flush();
}

void Session::refuse() {
  request_complete_ = false;
  refuse(503, "Too many connections");
}

void Session::upgrade() {
  auto result = websocket::check_handshake(http_.request());
  if (auto* error = std::get_if<websocket::HandshakeError>(&result)) {
    log(error->detail);
    host_.metrics->count(error->status == 426 ? Handshake::Version : Handshake::Invalid);
    http_.close_after_response();
    http::ResponseHead head{error->status, error->fields};
    head.fields.push_back({"content-type", "text/plain; charset=utf-8"});
    http_.send_head(head, host_.default_fields());
    http_.send_content(error->detail, More::No);
    log_request(error->status);
    close_after_flush();
    return;
  }
  enter(Phase::WebSocket);
  stream_->bound_reads(kMessagePieceBytes);
  websocket_ =
      std::make_unique<WebSocketSession>(*this, std::get<websocket::OpeningHandshake>(result));
  websocket_->begin();
}

void Session::on_end() {
  reading_ = false;
  client_ended_ = true;
  ended_or_sent_ = host_.now();
  expect_deadline(presence_deadline());
  if (phase_ == Phase::Lingering) return enter(Phase::Over);
  finish_input();
}

// After the client's last byte: it may still read answers to the requests that are complete.
// Nothing else can become of a request that breaks off, or of a WebSocket.
void Session::finish_input() {
  if (!client_ended_) return;
  if (phase_ == Phase::WebSocket) return cut();
  if (!waiting_input_.empty()) return;  // resume() follows
  if (phase_ == Phase::Exchange && request_complete_) return http_.close_after_response();
  if (phase_ == Phase::Exchange) return cut();
  if (phase_ == Phase::Head) log_cut(Blame::Client);
  close_after_flush();
}

void Session::on_error(std::error_code) { cut(); }

// --- the end ---

void Session::response_complete() {
  if (!handling_events_) finish_exchange();
}

void Session::finish_exchange() {
  log_response();
  if (!http_.keep_alive()) {
    close_after_flush();
    return;
  }
  http_.next_request();
  forwarded_.reset();
  enter(Phase::Idle);
  if (!waiting_input_.empty()) host_.resume_later(*this);
  content_taken();  // what the application left of the content is gone
}

void Session::close_after_flush() {
  if (phase_ >= Phase::Closing) return;
  enter(Phase::Closing);
  content_taken();  // a client that can't send on may never come to reading
  flush_later();
}

void Session::finish_sending() {
  if (phase_ != Phase::Closing) return;
  // Closing with unread input would send a reset, which may overtake the response (RFC 9112 9.6).
  const bool client_may_still_send = websocket_ == nullptr
                                         ? !request_complete_ || !waiting_input_.empty()
                                         : !websocket_->peer_has_closed();
  release(waiting_input_);
  enter(client_may_still_send && !client_ended_ ? Phase::Lingering : Phase::Over);
}

milliseconds Session::idle_since() const {
  const bool busy =
      phase_ == Phase::Exchange || phase_ == Phase::WebSocket || phase_ == Phase::Over;
  return busy ? milliseconds::max() : since_;
}

bool Session::client_returns() const {
  if (phase_ == Phase::WebSocket) return websocket_->is_open();
  return phase_ == Phase::Exchange && !exchange_.sends_file() && http_.sends_events();
}

void Session::drain() {
  switch (phase_) {
    case Phase::Idle:
      if (requests_ != 0 && host_.departure == Departure::Stop) {
        close_after_flush();
      } else {
        since_ = host_.now();
        expect_deadline(next_deadline());
      }
      break;
    case Phase::Head:  // the rest of it has to come soon
      since_ = host_.now();
      expect_deadline(next_deadline());
      [[fallthrough]];
    case Phase::Exchange:
      http_.close_after_response();
      if (client_returns()) exchange_.end_events();
      break;
    case Phase::WebSocket:
      websocket_->drain();
      break;
    default:
      break;
  }
}

void Session::cut_short() {
  switch (phase_) {
    case Phase::Exchange:
      refuse(503, "Server is shutting down");
      break;
    case Phase::WebSocket:
      cut();
      break;
    case Phase::Idle:
    case Phase::Head:
      // Else the client still reads its response.
      if (unsent_bytes() == 0) cut(Blame::Server);
      break;
    default:
      break;
  }
}

void Session::cut(Blame blame) {
  if (phase_ == Phase::Over) return;
  const bool unsent = unsent_bytes() != 0;
  const bool in_exchange = phase_ == Phase::Exchange;
  // The client may have all before the application says that it was the last.
  const bool complete = in_exchange && exchange_.active() && !exchange_.sends_file() && !unsent &&
                        http_.response_has_all_content();
  if (complete) {
    log_request(http_.response_status());
  } else {
    log_cut(blame);
  }
  const bool incomplete = in_exchange && !complete;
  // An orderly end would tell the client that a response which lasts until the close is complete.
  if (incomplete || unsent) stream_->reset_on_close();
  enter(Phase::Over);
  exchange_.disconnect();
  if (websocket_ != nullptr) websocket_->disconnect(1006, {});
}

void Session::enter(Phase phase) {
  phase_ = phase;
  since_ = host_.now();
  if (phase == Phase::Over) {
    stream_->stop_reading();
    host_.remove_later(*this);
  } else if (phase != Phase::Exchange && phase != Phase::WebSocket) {
    expect_deadline(next_deadline());
  }
}

}  // namespace cppasgi::session
