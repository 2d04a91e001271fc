#include "server/session/session_host.h"

#include <string>

#include "server/session/proxy_headers.h"

namespace cppasgi::session {

namespace {

constexpr std::chrono::milliseconds kLogRetryTime{250};

}  // namespace

std::unique_ptr<ConnectionInfo> SessionHost::read_proxy_fields(const http::RequestHead& request,
                                                               const ConnectionInfo& info,
                                                               bool has_root_path) {
  std::unique_ptr<ConnectionInfo> forwarded;
  if (!options.proxy.address.empty()) {
    if (trusted_proxies.trusts(info.client)) {
      forwarded = std::make_unique<ConnectionInfo>(
          forwarded_connection(request, options.proxy, trusted_proxies, info));
    } else if (!doubted_proxy_ && request.count(options.proxy.address) != 0) {
      doubted_proxy_ = true;
      log("names a client, but is no trusted proxy: such fields are ignored", &info.client);
    }
  }
  if (!has_root_path) return forwarded;
  if (forwarded != nullptr) {
    forwarded->has_root_path = true;
  } else if (!doubted_root_path_ && !options.daphne_strict) {
    doubted_root_path_ = true;
    log("sends Daphne-Root-Path: ignored, as only trusted proxies are believed, with "
        "--proxy-headers",
        &info.client);
  }
  return forwarded;
}

void SessionHost::note_old_handshake(const Address& client) {
  if (met_old_handshake_) return;
  met_old_handshake_ = true;
  log("asks for a WebSocket in HTTP/1.0, which has none: a proxy in between must speak HTTP/1.1 "
      "(nginx: proxy_http_version 1.1)",
      &client);
}

// --- the operator's log ---

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
    log("too many open files: new connections wait until some are closed", nullptr);
  } else if (error == std::errc::too_many_files_open_in_system) {
    log("the machine has too many open files: new connections wait until some are closed", nullptr);
  } else {
    log("the kernel can't give new connections at the moment: they wait", nullptr);
  }
}

void SessionHost::report_left_out(std::chrono::milliseconds time) {
  for (const std::string& line : log_limiter.take_reports(time)) application.on_log(line);
}

// --- the access log ---

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

}  // namespace cppasgi::session
