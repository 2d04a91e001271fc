// What a session writes down: lines of the access log, lines for the operator, and counts of
// responses and of limits that were reached.
#include "server/session/session.h"

namespace cppasgi::session {

namespace {

constexpr std::chrono::milliseconds kLogRetryTime{250};

}  // namespace

void Session::log_response() {
  log_access(http_.request().method(), http_.request().target(), http_.response_status(),
             &http_.request());
}

void Session::log_access(std::string_view method, std::string_view target, int status,
                         const http::RequestHead* request) {
  std::chrono::steady_clock::duration taken{0};
  if (host_.times_requests && request != nullptr) {
    taken = std::chrono::steady_clock::now() - received_;
    if (status != 0) host_.metrics->request_duration.observe(taken);
  }
  host_.metrics->count_response(status);
  host_.access_log.add({connection().client, method, target, status,
                        status == 0 ? 0 : http_.response_content_bytes(), request,
                        std::chrono::duration_cast<std::chrono::microseconds>(taken)});
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
