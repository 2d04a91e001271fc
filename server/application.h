// The port between the core and whoever answers requests: Python (asgi_bridge) or C++ (examples,
// tests). A handler is the application's ear, a responder its mouth. Everything here runs on the
// loop thread.
//
// Handlers are told that something is there and fetch it later: calls into a handler come from
// inside libuv callbacks and must only take notes. Responders are reached through handles, so a
// late call from a finished exchange finds nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/address.h"
#include "server/base/file_slice.h"
#include "server/base/slot_table.h"
#include "server/http/content.h"
#include "server/http/request_head.h"
#include "server/http/response_head.h"

namespace cppasgi {

// What is the same for every exchange of a connection, unless a trusted proxy says otherwise.
struct ConnectionInfo {
  Address client;
  Address server;
  bool secure = false;         // https and wss
  bool has_root_path = false;  // the proxy says so in the request's field http::kRootPathField
};

// How much of a request's content is there.
enum class ContentStatus : std::uint8_t {
  Pending,  // nothing yet: on_content follows
  More,     // this piece, and more will come
  End,      // this piece is the last
};

// --- HTTP ---

class HttpHandler {
 public:
  // Content arrived, or the request ended.
  virtual void on_content() = 0;
  // Before that: may take the piece, which comes before what take_content() moves and saves a copy.
  // Only if nothing else waits. False leaves it to take_content().
  virtual bool on_piece(std::string_view) { return false; }
  // The unsent bytes fell below the low-water mark, or a file has been sent.
  virtual void on_writable() = 0;
  // The client left before the response was complete. The last call; the responder is gone after
  // it.
  virtual void on_disconnect() = 0;

 protected:
  ~HttpHandler() = default;
};

// One HTTP exchange. Gone (its handle finds nothing) as soon as the response is complete or the
// client left.
class HttpResponder {
 public:
  virtual const http::RequestHead& request() const = 0;
  virtual const ConnectionInfo& connection() const = 0;
  // `handler` hears about this exchange from now on; null for nobody.
  virtual void set_handler(HttpHandler* handler) = 0;

  // Moves the content received so far into `content` (overwritten), and lets the client send more.
  // The first call answers "Expect: 100-continue".
  virtual ContentStatus take_content(std::string& content) = 0;

  // An informational response (RFC 8297) with these values of Link. Only to an HTTP/1.1 client,
  // before send_head; values must be valid (http::is_field_value).
  virtual void send_early_hints(const std::vector<std::string_view>& links) = 0;
  // The head is held back until the first send_content. Call it once; fields must be valid
  // (http::is_token, is_field_value).
  virtual void send_head(const http::ResponseHead& head) = 0;
  // More::No completes the exchange, unless the head announced trailers.
  virtual SendStatus send_content(std::string_view content, More more) = 0;
  // Sends content from a file, which goes from the kernel's cache to the socket where that is
  // possible. poll_writable() is false until all of them have left; nothing else may be sent until
  // then. More::No completes the exchange after them, and on_writable follows if that isn't at
  // once.
  virtual SendStatus send_file(FileSlice file, More more) = 0;
  // If announced, after the last content; names must be http::is_trailer_name too. More::No
  // completes the exchange.
  virtual void send_trailers(const std::vector<http::Field>& fields, More more) = 0;
  // False while the unsent bytes are above the high-water mark, even after some were given to the
  // kernel: on_writable follows.
  virtual bool poll_writable() = 0;
  // The application failed: 500 when nothing of the response has left yet, else the connection is
  // cut so that the client notices. Ends the exchange without on_disconnect.
  virtual void fail() = 0;

 protected:
  ~HttpResponder() = default;
};

// --- WebSocket ---

struct WebSocketMessage {
  enum class Kind : std::uint8_t { Text, Binary };
  Kind kind = Kind::Text;
  std::string payload;  // valid UTF-8 when text
};

class WebSocketHandler {
 public:
  // A message can be taken.
  virtual void on_message() = 0;
  virtual void on_writable() = 0;
  // The connection is over: the peer's close code (1005 when it gave none, 1006 without closing
  // handshake) and reason. The last call. Messages that were not taken stay with the handler's
  // owner only if taken inside this call.
  virtual void on_disconnect(std::uint16_t code, std::string_view reason) = 0;

 protected:
  ~WebSocketHandler() = default;
};

// One WebSocket, from its opening handshake on. Gone after on_disconnect. What isn't meant for the
// state it is in does nothing.
class WebSocketResponder {
 public:
  virtual const http::RequestHead& request() const = 0;  // maybe empty from accept() on
  virtual const ConnectionInfo& connection() const = 0;
  virtual void set_handler(WebSocketHandler* handler) = 0;

  // --- in state Connecting ---

  // The subprotocols that the client offers, in its order of preference.
  virtual const std::vector<std::string>& subprotocols() const {
    static const std::vector<std::string> none;
    return none;
  }
  // Answers the opening handshake with 101; `subprotocol` empty for none.
  virtual void accept(std::string_view /*subprotocol*/,
                      const std::vector<http::Field>& /*fields*/) {}
  // Refuses it with a response of the application's choice, as for HTTP. The state is Denying
  // then.
  virtual void deny_head(const http::ResponseHead& /*head*/) {}
  virtual SendStatus deny_content(std::string_view /*content*/, More /*more*/) {
    return SendStatus::Sent;
  }

  // --- in state Open ---

  virtual void send_text(std::string_view /*text*/) {}  // valid UTF-8
  virtual void send_binary(std::string_view /*bytes*/) {}
  // Moves the oldest unread message into `message`; false when there is none.
  virtual bool take_message(WebSocketMessage& /*message*/) { return false; }

  // --- in any state ---

  virtual bool poll_writable() = 0;
  // Connecting: refuses with 403. Open: starts the closing handshake.
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
  // The application failed: 500 while Connecting, close 1011 when Open.
  virtual void fail() = 0;

 protected:
  ~WebSocketResponder() = default;
};

// --- the application ---

class Application {
 public:
  // A request head is complete. Note the handle, answer later; set_handler before the next return
  // to the loop.
  virtual void start_http(Handle<HttpResponder> exchange) = 0;
  virtual void start_websocket(Handle<WebSocketResponder> websocket) = 0;
  // The peer or the server did something an operator wants to read (one line, no newline).
  virtual void on_log(std::string_view line) = 0;

 protected:
  ~Application() = default;
};

}  // namespace cppasgi
