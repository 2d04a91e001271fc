// One HTTP exchange of a session: the request's content on its way to the application, the
// application's response on its way to the protocol (RFC 9110 section 6). A session has one of
// these and uses it for one request after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/application.h"
#include "server/http1/response_serializer.h"

namespace cppasgi::session {

class Session;

class HttpExchange final : public HttpResponder {
 public:
  explicit HttpExchange(Session& session) : session_(session) {}
  ~HttpExchange();

  // --- by the session ---

  void begin();                            // a head has arrived: the application is started
  void receive(std::string_view content);  // content has arrived
  void receive_end();                      // the request is complete
  void resume_sending();                   // the unsent bytes fell below the low-water mark
  void resume_file();                      // what was queued of the file has left
  void disconnect();                       // the client left
  // The server stops, and its response has no end: completes it for the client; to the application
  // the client has left.
  void end_events();
  bool active() const { return active_; }
  bool sends_file() const { return file_.is_open(); }
  std::uint64_t unsent_file_bytes() const { return file_.size(); }
  // The application owes it to the client to take content before more is read.
  bool content_is_full() const;

  // --- HttpResponder ---

  const http::RequestHead& request() const override;
  const ConnectionInfo& connection() const override;
  void set_handler(HttpHandler* handler) override { handler_ = handler; }
  ContentStatus take_content(std::string& content) override;
  void send_early_hints(const std::vector<std::string_view>& links) override;
  void send_head(const http::ResponseHead& head) override;
  SendStatus send_content(std::string_view content, More more) override;
  SendStatus send_file(FileSlice file, More more) override;
  void send_trailers(const std::vector<http::Field>& fields, More more) override;
  bool writable() const override;
  void fail() override;

 private:
  SendStatus judge(SendStatus result);
  bool continue_file();
  void end_if_complete();
  void end();  // the application may not reach it any more

  Session& session_;
  SlotId id_;
  HttpHandler* handler_ = nullptr;
  std::string content_;
  std::size_t handed_over_ = 0;  // bytes that the handler took since the last take_content()
  FileSlice file_;               // open while one is being sent
  More after_file_ = More::No;
  bool active_ = false;
  bool request_ended_ = false;
};

}  // namespace cppasgi::session
