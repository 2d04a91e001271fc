#include "server/session/drivers/http1_transport.h"

#include <algorithm>
#include <utility>

#include "server/http/target.h"
#include "server/session/drivers/http1_driver.h"
#include "server/session/drivers/protocols.h"
#include "server/session/exchange/websocket_session.h"
#include "server/websocket/handshake.h"

namespace cppasgi::session {

namespace {

// Content of this size or more costs less in a write of its own than as a copy.
constexpr std::size_t kLongContentBytes = 16 * 1024;

// nginx's status for a client that left before the response began.
constexpr int kClientLeft = 499;
// The status that is logged for a request whose server left; nobody was sent it.
constexpr int kServiceUnavailable = 503;

}  // namespace

Http1Transport::Http1Transport(SessionHost& host, Connection& connection,
                               http1::Http1Protocol& protocol, Http1Driver& driver)
    : host_(host), connection_(connection), protocol_(protocol), driver_(driver), log_(host) {}

// --- the request ---

void Http1Transport::begin_request() {
  if (!host_.options.proxy.address.empty() || protocol_.has_root_path()) {
    forwarded_ =
        host_.read_proxy_fields(protocol_.request(), connection_.info, protocol_.has_root_path());
  }
  if (protocol_.is_old_handshake()) host_.note_old_handshake(connection().client);
  log_.begin_request();
}

WebSocketRequest Http1Transport::take_request() {
  WebSocketRequest request{
      protocol_.take_request(), &connection_.info, std::move(forwarded_), log_.received(), {}};
  request.path = http::split_target(request.head.target()).raw_path;
  return request;
}

void Http1Transport::next_request() {
  protocol_.next_request();
  forwarded_.reset();
}

void Http1Transport::content_taken(bool complete) {
  connection_.input_taken();
  if (complete || !protocol_.expects_continue()) return;
  protocol_.send_continue();
  connection_.flush_later();
  driver_.on_reading(true);
}

// --- the response ---

void Http1Transport::send_early_hints(const std::vector<std::string_view>& links) {
  protocol_.send_early_hints(links);
  connection_.flush_later();
}

void Http1Transport::send_head(const http::ResponseHead& head) {
  protocol_.send_head(head, host_.default_fields());
}

SendStatus Http1Transport::send_content(std::string_view content, More more) {
  const bool is_long = content.size() >= kLongContentBytes;
  const SendStatus status = is_long ? protocol_.begin_content(content.size(), more)
                                    : protocol_.send_content(content, more);
  if (status != SendStatus::Sent) return status;
  if (is_long) {
    if (protocol_.response_has_content()) connection_.send_after(content);
    protocol_.end_content(more);
  }
  connection_.flush_later();
  return status;
}

SendStatus Http1Transport::begin_file(FileSlice& file, More more) {
  const SendStatus status = protocol_.begin_content(file.size(), more);
  if (status == SendStatus::Sent && !protocol_.response_has_content()) file.select(0, 0);
  return status;
}

void Http1Transport::end_file(More more) {
  protocol_.end_content(more);
  connection_.flush_later();
}

void Http1Transport::send_trailers(const std::vector<http::Field>& fields, More more) {
  protocol_.send_trailers(fields, more);
  connection_.flush_later();
}

void Http1Transport::send_error(int status, std::string_view text) {
  protocol_.send_error(status, text, host_.default_fields());
  connection_.flush_later();
}

void Http1Transport::exchange_ended() { driver_.exchange_ended(); }

void Http1Transport::break_off() {
  connection_.flush();
  connection_.cut(Blame::Server);
}

void Http1Transport::accept(const WebSocketAnswer& answer,
                            std::unique_ptr<WebSocketSession> session) {
  websocket::write_accept_response(protocol_.bytes_to_send(), answer.key, answer.subprotocol,
                                   answer.extensions, answer.fields);
  connection_.replace_driver(make_websocket_driver(host_, connection_, std::move(session)), {});
  connection_.flush_later();
}

// --- what is written down ---

// What the kernel and we take at once counts as sent. Of a longer response the client may still
// miss most, so its line waits.
void Http1Transport::log_response() {
  const std::uint64_t content_bytes = protocol_.response_content_bytes();
  if (content_bytes <= host_.options.outgoing.high_bytes || poll_writable())
    return log_request(protocol_.response_status());
  const RequestLog::Response response{protocol_.response_status(), content_bytes,
                                      protocol_.route()};
  log_.put_off(protocol_.take_request(), connection().client, response);
}

void Http1Transport::log_request(int status) {
  log_.write(protocol_.request(), connection().client,
             {status, protocol_.response_content_bytes(), protocol_.route()}, Ending::Whole);
}

void Http1Transport::log_cut(Blame blame, std::uint64_t unsent_file) {
  if (!protocol_.response_started() && blame == Blame::Client) return log_request(kClientLeft);
  // Server-sent events have no other end than that their client leaves.
  const bool ended = blame == Blame::Client && protocol_.sends_events();
  if (ended) return log_request(protocol_.response_status());
  const std::uint64_t given = protocol_.response_content_bytes();
  const std::uint64_t missing = missing_bytes() + unsent_file;
  log_.write(protocol_.request(), connection().client,
             {protocol_.response_started() ? protocol_.response_status() : kServiceUnavailable,
              given - std::min(given, missing), protocol_.route()},
             Ending::Cut);
}

std::uint64_t Http1Transport::missing_bytes() const {
  return std::max(connection_.unsent_bytes(), connection_.outgoing().missing_bytes());
}

}  // namespace cppasgi::session
