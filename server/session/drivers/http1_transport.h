// HTTP/1 as an exchange sees it (exchange/http_transport.h): one request after the other on a
// connection. Writes down what became of each: a line of the access log and a count.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "server/http1/http1_protocol.h"
#include "server/session/connection/connection.h"
#include "server/session/exchange/http_transport.h"
#include "server/session/exchange/request_log.h"
#include "server/session/exchange/websocket_request.h"
#include "server/session/session_host.h"

namespace cppasgi::session {

class Http1Driver;

class Http1Transport final : public HttpTransport {
 public:
  // All must outlive the object.
  Http1Transport(SessionHost& host, Connection& connection, http1::Http1Protocol& protocol,
                 Http1Driver& driver);

  // --- by the driver ---

  void begin_request();  // a head is complete
  void next_request();
  // Hands the request over to a WebSocket.
  WebSocketRequest take_request();
  // The connection as the request's client has it.
  const ConnectionInfo& connection() const {
    return forwarded_ == nullptr ? connection_.info : *forwarded_;
  }

  RequestLog& log() { return log_; }
  // Each writes the one line of the request: its response is complete, ...
  void log_response();
  // ... the server has answered by itself, with `status`, ...
  void log_request(int status);
  // ... or the connection ends before all of the response has left, `unsent_file` bytes of a file
  // among it.
  void log_cut(Blame blame, std::uint64_t unsent_file);
  // What of the response the client hasn't been sent, or hadn't when it was looked at last.
  std::uint64_t missing_bytes() const;

  // --- HttpTransport ---

  void content_taken(bool complete) override;
  void send_early_hints(const std::vector<std::string_view>& links) override;
  void send_head(const http::ResponseHead& head) override;
  SendStatus send_content(std::string_view content, More more) override;
  SendStatus begin_file(FileSlice& file, More more) override;
  bool continue_file(FileSlice& file) override { return connection_.send_file(file); }
  void end_file(More more) override;
  void send_trailers(const std::vector<http::Field>& fields, More more) override;
  void send_error(int status, std::string_view text) override;
  bool client_returns() const override { return protocol_.sends_events(); }
  bool poll_writable() override { return connection_.poll_writable(); }
  void exchange_ended() override;
  void break_off() override;
  void accept(const WebSocketAnswer& answer, std::unique_ptr<WebSocketSession> session) override;

 private:
  SessionHost& host_;
  Connection& connection_;
  http1::Http1Protocol& protocol_;
  Http1Driver& driver_;
  std::unique_ptr<ConnectionInfo> forwarded_;  // what a trusted proxy says of this request's client
  RequestLog log_;
};

}  // namespace cppasgi::session
