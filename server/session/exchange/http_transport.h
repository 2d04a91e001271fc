// What an exchange needs of the protocol that carries it: the way back for its response. Each
// version of HTTP implements it, for a connection or for a stream. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "server/application.h"

namespace cppasgi::session {

class WebSocketSession;

// The answer to an opening handshake that was accepted. The views live as long as the call.
struct WebSocketAnswer {
  std::string_view key;                    // the request's Sec-WebSocket-Key
  std::string_view subprotocol;            // empty: none
  std::string_view extensions;             // the value of Sec-WebSocket-Extensions; empty: none
  const std::vector<http::Field>& fields;  // the application's and the operator's
};

class HttpTransport {
 public:
  // The application has taken the content so far. It wants more, unless `complete`: a client that
  // waits for "100 Continue" gets it.
  virtual void content_taken(bool complete) = 0;

  // --- the response; preconditions as for HttpResponder ---

  virtual void send_early_hints(const std::vector<std::string_view>& links) = 0;
  virtual void send_head(const http::ResponseHead& head) = 0;
  // A first piece that is TooLong or TooShort leaves the response unstarted.
  virtual SendStatus send_content(std::string_view content, More more) = 0;
  // Content from a file is sent in three steps. begin_file() sends what comes before it, and
  // selects none of it if the response has no content. continue_file() sends a part of it and is
  // false until all has left; on_writable() follows then. end_file() sends what comes after it.
  virtual SendStatus begin_file(FileSlice& file, More more) = 0;
  virtual bool continue_file(FileSlice& file) = 0;
  virtual void end_file(More more) = 0;
  virtual void send_trailers(const std::vector<http::Field>& fields, More more) = 0;
  // A whole response of the server's own, in place of a head that has not gone yet.
  virtual void send_error(int status, std::string_view text) = 0;
  // The response has no end of its own, and its client comes again (server-sent events).
  virtual bool client_returns() const = 0;
  // See HttpResponder::poll_writable().
  virtual bool poll_writable() = 0;

  // --- the end ---

  // The exchange is over, with its response. Nobody calls the transport for it any more.
  virtual void exchange_ended() = 0;
  // The exchange can't be completed: what was sent of its response reaches the client, who sees
  // that the rest is missing.
  virtual void break_off() = 0;
  // A WebSocket begins on what carried the request, and `session` takes over.
  virtual void accept(const WebSocketAnswer& answer, std::unique_ptr<WebSocketSession> session) = 0;

 protected:
  ~HttpTransport() = default;
};

}  // namespace cppasgi::session
