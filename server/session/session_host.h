// What a session needs of the server around it: values it shares with all others, and work it puts
// off to the end of the batch. A batch is everything one round of the event loop brought; what is
// put off runs in Server::finish_batch.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <system_error>

#include "server/application.h"
#include "server/base/slot_table.h"
#include "server/http1/http1_protocol.h"
#include "server/metrics.h"
#include "server/options.h"
#include "server/session/access_log.h"
#include "server/session/log_limiter.h"
#include "server/session/trusted_proxies.h"
#include "server/websocket/message_deflate.h"
#include "server/websocket/message_memory.h"

namespace cppasgi::session {

class Session;

// When `delay` after `since` is over; max(), never, for a delay of 0 and one without end.
inline std::chrono::milliseconds deadline_after(std::chrono::milliseconds since,
                                                std::chrono::milliseconds delay) {
  constexpr auto kNever = std::chrono::milliseconds::max();
  return delay.count() == 0 || delay > kNever - since ? kNever : since + delay;
}

class SessionHost {
 public:
  SessionHost(Application& application_in, const ServerOptions& options_in, int access_log_fd)
      : application(application_in),
        options(options_in),
        trusted_proxies(options_in.proxy.trusted),
        access_log(access_log_fd, options_in.access_log_format, options_in.access_log_exclude),
        deflate(options_in.deflate),
        message_memory(options_in.websocket.max_unfinished_bytes),
        metrics(options_in.metrics_fd, options_in.metrics_slot),
        times_requests(options_in.metrics_fd >= 0 || access_log.wants_details()) {}

  Application& application;
  const ServerOptions options;
  const TrustedProxies trusted_proxies;
  AccessLog access_log;
  LogLimiter log_limiter;
  websocket::DeflatePool deflate;
  websocket::MessageMemory message_memory;
  MetricsBlock metrics;
  const bool times_requests;  // somebody wants to know how long they take
  SlotTable<HttpResponder> exchanges;
  SlotTable<WebSocketResponder> websockets;
  std::optional<Departure> departure;  // set once the server drains
  bool doubted_proxy = false;          // the log has it that an untrusted peer names clients
  bool doubted_root_path = false;      // the same of one that names a root path
  bool met_old_handshake = false;      // the log has it that a WebSocket was asked for in HTTP/1.0

  // Once per batch and session, however often called.
  virtual void flush_later(Session& session) = 0;   // it has bytes to write
  virtual void resume_later(Session& session) = 0;  // it has input that it could not take before
  virtual void fail_later(Session& session) = 0;    // its peer broke WebSocket's rules
  virtual void remove_later(Session& session) = 0;  // it is over

  // The session has a deadline at `time`; a later one than any other need not be told.
  virtual void expect_deadline(std::chrono::milliseconds time) = 0;
  virtual std::chrono::milliseconds now() const = 0;

  // Writes a line for the operator, about a client if one is given, unless it is one too many like
  // it. `what` is a static text.
  void log(std::string_view what, const Address* client = nullptr);
  // The same, and a count, when no connection can be accepted.
  void log_shortage(std::error_code error);
  // Writes what the access log has collected; has a deadline for what couldn't be written.
  void write_access_log();
  void finish_access_log();  // at the end
  // Writes how many lines were too many; due at log_limiter.next_report().
  void report_left_out(std::chrono::milliseconds time);
  virtual http::DefaultFields default_fields() = 0;
  bool draining() const { return departure.has_value(); }

 protected:
  ~SessionHost() = default;

 private:
  void report_dropped_lines();
};

}  // namespace cppasgi::session
