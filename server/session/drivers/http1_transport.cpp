#include "server/session/drivers/http1_transport.h"

#include <algorithm>
#include <utility>

#include "server/http/target.h"
#include "server/session/drivers/http1_driver.h"
#include "server/session/drivers/protocols.h"
#include "server/session/exchange/websocket_session.h"
#include "server/websocket/handshake.h"

namespace cppasgi::session {

using std::chrono::steady_clock;

namespace {

// From here on a write of its own costs less than a copy.
constexpr std::size_t kLongContentBytes = 16 * 1024;

// nginx's status for a client that left before the response began.
constexpr int kClientLeft = 499;
// For a request whose server left: nobody was sent that.
constexpr int kServiceUnavailable = 503;

}  // namespace

Http1Transport::Http1Transport(SessionHost& host, Connection& connection, Http1Driver& driver)
    : host_(host), connection_(connection), driver_(driver), protocol_(host.options.http) {}

// --- the request ---

void Http1Transport::begin_head() {
  if (late_ != nullptr) log_late(Ending::Whole);
  head_began_ = host_.now();
}

void Http1Transport::begin_request() {
  has_head_ = true;
  if (!host_.options.proxy.address.empty() || protocol_.has_root_path()) {
    forwarded_ =
        host_.read_proxy_fields(protocol_.request(), connection_.info, protocol_.has_root_path());
  }
  if (protocol_.is_old_handshake()) host_.note_old_handshake(connection().client);
  if (host_.times_requests) received_ = steady_clock::now();
}

void Http1Transport::begin_exchange() {
  in_flight_ = true;
  host_.metrics->requests_in_flight.add();
}

WebSocketRequest Http1Transport::take_request() {
  WebSocketRequest request{
      protocol_.take_request(), &connection_.info, std::move(forwarded_), received_, {}};
  request.path = http::split_target(request.head.target()).raw_path;
  return request;
}

void Http1Transport::next_request() {
  protocol_.next_request();
  forwarded_.reset();
  has_head_ = false;
}

void Http1Transport::content_taken(bool complete) {
  connection_.input_taken();
  if (complete || !protocol_.expects_continue()) return;
  protocol_.send_continue();
  connection_.flush_later();
  driver_.expect_content();
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
  driver_.websocket_accepted();
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
  in_flight_ = false;  // log_late() ends that
  late_ = std::make_unique<LateResponse>(
      LateResponse{protocol_.take_request(), std::move(forwarded_), received_, content_bytes,
                   protocol_.response_status(), std::string(protocol_.route())});
}

void Http1Transport::log_request(int status, Ending ending, std::uint64_t unsent_file) {
  if (std::exchange(in_flight_, false)) host_.metrics->requests_in_flight.subtract();
  std::uint64_t content_bytes = protocol_.response_content_bytes();
  if (ending == Ending::Cut)
    content_bytes -= std::min(content_bytes, missing_bytes() + unsent_file);
  log_line(protocol_.request(), connection().client, status, content_bytes, request_time(), ending,
           protocol_.route());
}

void Http1Transport::log_late(Ending ending) {
  if (late_ == nullptr) return;
  const std::unique_ptr<LateResponse> late = std::move(late_);
  host_.metrics->requests_in_flight.subtract();
  steady_clock::duration taken{0};
  if (host_.times_requests) taken = steady_clock::now() - late->received;
  if (ending == Ending::Cut) late->content_bytes -= std::min(late->content_bytes, missing_bytes());
  log_line(late->request, late->forwarded ? late->forwarded->client : connection_.info.client,
           late->status, late->content_bytes, taken, ending, late->route);
}

void Http1Transport::log_cut(Blame blame, std::uint64_t unsent_file) {
  if (late_ != nullptr) return log_late(Ending::Cut);
  if (protocol_.response_started()) {
    // Server-sent events have no other end than that their client leaves.
    const bool ended = blame == Blame::Client && protocol_.sends_events();
    return log_request(protocol_.response_status(), ended ? Ending::Whole : Ending::Cut,
                       unsent_file);
  }
  if (blame == Blame::Server) return log_request(kServiceUnavailable, Ending::Cut);
  log_request(kClientLeft);
}

void Http1Transport::log_line(const http::RequestHead& request, const Address& client, int status,
                              std::uint64_t content_bytes, steady_clock::duration taken,
                              Ending ending, std::string_view route) {
  if (host_.times_requests) host_.metrics->request_duration.observe(taken);
  if (!route.empty())
    host_.metrics->count_route(route, status >= 500 || ending == Ending::Cut, taken);
  if (ending == Ending::Cut) {
    host_.metrics->count_cut_response();
  } else {
    host_.metrics->count_response(status);
  }
  host_.access_log.add({client, request.method(), request.target(), status, content_bytes, &request,
                        std::chrono::duration_cast<std::chrono::microseconds>(taken), ending});
}

// From the head on, or from its first byte if it isn't whole.
steady_clock::duration Http1Transport::request_time() const {
  if (!host_.times_requests) return {};
  if (!has_head_) return host_.now() - head_began_;
  return steady_clock::now() - received_;
}

// What of the response the client hasn't been sent, or hadn't when it was looked at last.
std::uint64_t Http1Transport::missing_bytes() const {
  return std::max(connection_.unsent_bytes(), connection_.outgoing().missing_bytes());
}

}  // namespace cppasgi::session
