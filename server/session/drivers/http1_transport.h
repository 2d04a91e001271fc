// HTTP/1 as an exchange sees it (exchange/http_transport.h): one request after the other on a
// connection. Writes down what became of each: a line of the access log and a count.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/http1/http1_protocol.h"
#include "server/session/connection/connection.h"
#include "server/session/exchange/http_transport.h"
#include "server/session/exchange/websocket_request.h"
#include "server/session/session_host.h"

namespace cppasgi::session {

class Http1Driver;

class Http1Transport final : public HttpTransport {
 public:
  // All must outlive the object.
  Http1Transport(SessionHost& host, Connection& connection, Http1Driver& driver);

  // --- by the driver ---

  http1::Http1Protocol& protocol() { return protocol_; }
  const http1::Http1Protocol& protocol() const { return protocol_; }
  void begin_head();     // the first byte of a request is here
  void begin_request();  // its head is complete
  void begin_exchange();
  // Hands the request over to a WebSocket.
  WebSocketRequest take_request();
  void next_request();

  // Each writes the one line and the one count of the request: its response is complete, ...
  void log_response();
  // ... the server has answered by itself, ...
  void log_request(int status, Ending ending = Ending::Whole, std::uint64_t unsent_file = 0);
  // ... or the connection ends before all of the response has left, `unsent_file` bytes of a file
  // among it.
  void log_cut(Blame blame, std::uint64_t unsent_file);
  // A response that was complete, but of which much waited for the client, has left or never will.
  void log_late(Ending ending);

  // --- HttpTransport ---

  const http::RequestHead& request() const override { return protocol_.request(); }
  const ConnectionInfo& connection() const override {
    return forwarded_ == nullptr ? connection_.info : *forwarded_;
  }
  void content_taken(bool complete) override;
  void send_early_hints(const std::vector<std::string_view>& links) override;
  void send_head(const http::ResponseHead& head) override;
  SendStatus send_content(std::string_view content, More more) override;
  SendStatus begin_file(FileSlice& file, More more) override;
  bool continue_file(FileSlice& file) override { return connection_.send_file(file); }
  void end_file(More more) override;
  void send_trailers(const std::vector<http::Field>& fields, More more) override;
  void send_error(int status, std::string_view text) override;
  bool response_started() const override { return protocol_.response_started(); }
  bool response_ended() const override { return protocol_.response_ended(); }
  bool client_returns() const override { return protocol_.sends_events(); }
  bool poll_writable() override { return connection_.poll_writable(); }
  void exchange_ended() override;
  void break_off() override;
  Transport& bytes() override { return connection_; }
  void accept(const WebSocketAnswer& answer, std::unique_ptr<WebSocketSession> session) override;

 private:
  // A response that is complete, but much of which waits for a slow client.
  struct LateResponse {
    http::RequestHead request;
    std::unique_ptr<ConnectionInfo> forwarded;
    std::chrono::steady_clock::time_point received;
    std::uint64_t content_bytes;
    int status;
    std::string route;
  };

  std::chrono::steady_clock::duration request_time() const;
  std::uint64_t missing_bytes() const;
  void log_line(const http::RequestHead& request, const Address& client, int status,
                std::uint64_t content_bytes, std::chrono::steady_clock::duration taken,
                Ending ending, std::string_view route);

  SessionHost& host_;
  Connection& connection_;
  Http1Driver& driver_;
  http1::Http1Protocol protocol_;
  std::unique_ptr<ConnectionInfo> forwarded_;  // what a trusted proxy says of this request's client
  std::unique_ptr<LateResponse> late_;
  // When the latest head was complete, if SessionHost::times_requests.
  std::chrono::steady_clock::time_point received_;
  std::chrono::milliseconds head_began_{0};
  bool has_head_ = false;
  bool in_flight_ = false;  // counted among the requests in flight
};

}  // namespace cppasgi::session
