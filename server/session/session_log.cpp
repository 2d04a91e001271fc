// What a session writes down: lines of the access log, lines for the operator, and counts of
// responses and of limits that were reached.
#include <algorithm>
#include <utility>

#include "server/session/session.h"

namespace cppasgi::session {

namespace {

constexpr std::chrono::milliseconds kLogRetryTime{250};

// nginx's, for who left before the response began.
constexpr int kClientLeft = 499;
// For whom the server left: nobody was sent that.
constexpr int kServiceUnavailable = 503;

}  // namespace

// What the kernel and we take at once counts as sent. Of a longer response the client may still
// miss most, so its line waits.
void Session::log_response() {
  const std::uint64_t content_bytes = http_.response_content_bytes();
  if (content_bytes <= host_.options.outgoing.high_bytes || writable())
    return log_request(http_.response_status());
  late_ = std::make_unique<LateResponse>(
      LateResponse{http_.take_request(), std::move(forwarded_), received_, content_bytes,
                   http_.response_status(), std::string(http_.route())});
}

void Session::log_request(int status, Ending ending) {
  if (phase_ == Phase::Exchange) host_.metrics->requests_in_flight.subtract();
  std::uint64_t content_bytes = http_.response_content_bytes();
  if (ending == Ending::Cut) {
    content_bytes -= std::min(content_bytes, waiting_bytes() + exchange_.unsent_file_bytes());
  }
  log_line(http_.request(), connection().client, status, content_bytes, request_time(), ending,
           http_.route());
}

// What the client hasn't been sent, or hadn't when it was last looked at: a connection that failed
// has forgotten it.
std::uint64_t Session::waiting_bytes() const {
  const bool waits = queued_since_ != std::chrono::milliseconds::max();
  return std::max(unsent_bytes(), waits ? queued_bytes_ : 0);
}

void Session::log_late(Ending ending) {
  const std::unique_ptr<LateResponse> late = std::move(late_);
  host_.metrics->requests_in_flight.subtract();
  std::chrono::steady_clock::duration taken{0};
  if (host_.times_requests) taken = std::chrono::steady_clock::now() - late->received;
  if (ending == Ending::Cut) late->content_bytes -= std::min(late->content_bytes, waiting_bytes());
  log_line(late->request, late->forwarded ? late->forwarded->client : connection_.client,
           late->status, late->content_bytes, taken, ending, late->route);
}

void Session::log_cut(Blame blame) {
  if (late_ != nullptr) return log_late(Ending::Cut);
  const bool begun =
      phase_ == Phase::Exchange || (phase_ == Phase::Head && !http_.between_requests());
  if (!begun) return;
  if (http_.response_started()) {
    // Server-sent events have no other end than that their client leaves.
    const bool ended = blame == Blame::Client && http_.sends_events();
    return log_request(http_.response_status(), ended ? Ending::Whole : Ending::Cut);
  }
  if (blame == Blame::Server) return log_request(kServiceUnavailable, Ending::Cut);
  log_request(kClientLeft);
}

void Session::log_line(const http::RequestHead& request, const Address& client, int status,
                       std::uint64_t content_bytes, std::chrono::steady_clock::duration taken,
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
std::chrono::steady_clock::duration Session::request_time() const {
  if (!host_.times_requests) return {};
  const bool has_head = phase_ >= Phase::Exchange || upgrade_asked_;
  if (!has_head) return host_.now() - since_;
  return std::chrono::steady_clock::now() - received_;
}

void Session::log_websocket(std::string_view event, std::string_view path, Ending ending,
                            std::uint16_t close_code) {
  host_.access_log.add({connection().client, event, path, 0, 0, &http_.request(),
                        std::chrono::duration_cast<std::chrono::microseconds>(request_time()),
                        ending, close_code});
}

void Session::log(std::string_view what) const { host_.log(what, &connection().client); }

void SessionHost::log(std::string_view what, const Address* client) {
  if (!log_limiter.passes(what, now())) return expect_deadline(log_limiter.next_report());
  std::string line;
  if (client != nullptr && client->family == Address::Family::Tcp) {
    line = client->host + ':' + std::to_string(client->port) + ": ";
  }
  line += what;
  application.on_log(line);
}

void SessionHost::log_shortage(std::error_code error) {
  metrics->count(Limit::OpenFiles);
  if (error == std::errc::too_many_files_open) {
    log("too many open files: new connections wait until some are closed");
  } else if (error == std::errc::too_many_files_open_in_system) {
    log("the machine has too many open files: new connections wait until some are closed");
  } else {
    log("the kernel can't give new connections at the moment: they wait");
  }
}

void SessionHost::write_access_log() {
  access_log.flush();
  if (!access_log.is_behind()) return;
  report_dropped_lines();
  if (access_log.is_behind()) expect_deadline(now() + kLogRetryTime);
}

void SessionHost::finish_access_log() {
  access_log.finish();
  report_dropped_lines();
}

void SessionHost::report_dropped_lines() {
  metrics->access_lines_dropped.set(access_log.dropped());
  const std::string line = access_log.take_report();
  if (!line.empty()) application.on_log(line);
}

void SessionHost::report_left_out(std::chrono::milliseconds time) {
  for (const std::string& line : log_limiter.take_reports(time)) application.on_log(line);
}

// Which limit an error of the protocol speaks of, if any.
void Session::count_limit(int status) {
  const HttpLimits& limits = host_.options.http;
  if (status == 413) {
    host_.metrics->count(Limit::RequestBody);
  } else if (status == 414) {
    host_.metrics->count(Limit::RequestLine);
  } else if (status == 431) {
    host_.metrics->count(http_.request().field_count() > limits.max_header_count
                             ? Limit::RequestFields
                             : Limit::RequestHeader);
  }
}

}  // namespace cppasgi::session
