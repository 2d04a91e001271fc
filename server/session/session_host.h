// What drivers and exchanges need of the server around them, beyond what every connection does: the
// application, its responders, the access log, and what WebSockets share.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

#include "server/application.h"
#include "server/base/slot_table.h"
#include "server/http/default_fields.h"
#include "server/http/request_head.h"
#include "server/session/access_log.h"
#include "server/session/connection/connection_host.h"
#include "server/session/log_limiter.h"
#include "server/session/trusted_proxies.h"
#include "server/websocket/message_deflate.h"
#include "server/websocket/message_memory.h"

namespace cppasgi::session {

class SessionHost : public ConnectionHost {
 public:
  SessionHost(Application& application_in, const ServerOptions& options_in, int access_log_fd)
      : ConnectionHost(options_in),
        application(application_in),
        trusted_proxies(options_in.proxy.trusted),
        access_log(access_log_fd, options_in.access_log_format, options_in.access_log_exclude),
        deflate(options_in.deflate),
        message_memory(options_in.websocket.max_unfinished_bytes),
        times_requests(options_in.metrics_fd >= 0 || access_log.wants_details()) {}

  Application& application;
  const TrustedProxies trusted_proxies;
  AccessLog access_log;
  LogLimiter log_limiter;
  websocket::DeflatePool deflate;
  websocket::MessageMemory message_memory;
  const bool times_requests;  // somebody wants to know how long they take
  SlotTable<HttpResponder> exchanges;
  SlotTable<WebSocketResponder> websockets;
  std::optional<ShutdownReason> shutdown_reason;  // set once the server drains

  bool draining() const { return shutdown_reason.has_value(); }
  virtual http::DefaultFields default_fields() = 0;

  // What a trusted proxy says of the request's client; null if nobody says anything that is
  // believed. `info` is the connection's own. `has_root_path`: the request has kRootPathField.
  std::unique_ptr<ConnectionInfo> read_proxy_fields(const http::RequestHead& request,
                                                    const ConnectionInfo& info, bool has_root_path);
  // Tells the operator, once, that a WebSocket was asked for in HTTP/1.0.
  void note_old_handshake(const Address& client);

  void log(std::string_view what, const Address* client) override;
  // Logs and counts that no connection can be accepted.
  void log_shortage(std::error_code error);
  // Writes how many lines were too many; due at log_limiter.next_report().
  void report_left_out(std::chrono::milliseconds time);

  // Writes what the access log has collected; has a deadline for what couldn't be written.
  void write_access_log();
  void finish_access_log();  // at the end

 protected:
  ~SessionHost() = default;

 private:
  void report_dropped_lines();

  // The log has it already that ...
  bool doubted_proxy_ = false;      // an untrusted peer names clients,
  bool doubted_root_path_ = false;  // one names a root path,
  bool met_old_handshake_ = false;  // a WebSocket was asked for in HTTP/1.0.
};

}  // namespace cppasgi::session
