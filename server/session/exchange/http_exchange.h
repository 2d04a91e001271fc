// One HTTP exchange: the request's content on its way to the application, the application's
// response on its way to the protocol (RFC 9110 section 6). Knows no version of HTTP. May be used
// for one request after the other.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "server/application.h"
#include "server/session/exchange/http_transport.h"
#include "server/session/session_host.h"

namespace cppasgi::session {

class HttpExchange final : public HttpResponder {
 public:
  // Both must outlive the exchange.
  HttpExchange(SessionHost& host, HttpTransport& transport) : host_(host), transport_(transport) {}
  ~HttpExchange();

  // --- by the driver ---

  // A head has arrived: the application is started. Both arguments must stay until the exchange is
  // over.
  void begin(const http::RequestHead& request, const ConnectionInfo& connection);
  void receive(std::string_view content);  // content has arrived
  void receive_end();                      // the request is complete
  void resume_sending();                   // there is room for more of the response
  void disconnect();                       // the client left
  // The server stops, and the response has no end of its own: completes it for the client. To the
  // application the client has left.
  void end_events();
  bool active() const { return active_; }
  // What is still to be sent of a file; open as long as one is being sent.
  const FileSlice& file() const { return file_; }
  // The application has to take content before more is read.
  bool content_is_full() const;

  // --- HttpResponder ---

  const http::RequestHead& request() const override { return *request_; }
  const ConnectionInfo& connection() const override { return *connection_; }
  void set_handler(HttpHandler* handler) override { handler_ = handler; }
  ContentStatus take_content(std::string& content) override;
  void send_early_hints(const std::vector<std::string_view>& links) override;
  void send_head(const http::ResponseHead& head) override;
  SendStatus send_content(std::string_view content, More more) override;
  SendStatus send_file(FileSlice file, More more) override;
  void send_trailers(const std::vector<http::Field>& fields, More more) override;
  bool poll_writable() override;
  void fail() override;

 private:
  bool continue_file();
  void complete();
  void end();

  SessionHost& host_;
  HttpTransport& transport_;
  const http::RequestHead* request_ = nullptr;
  const ConnectionInfo* connection_ = nullptr;
  SlotId id_;
  HttpHandler* handler_ = nullptr;
  std::string content_;
  std::size_t handed_over_ = 0;  // bytes that the handler took since the last take_content()
  FileSlice file_;
  More after_file_ = More::No;
  bool active_ = false;
  bool request_ended_ = false;
  bool response_started_ = false;
  bool trailers_announced_ = false;
};

}  // namespace cppasgi::session
