// HTTP/1.0 and 1.1 for one server connection, without I/O (RFC 9112): request bytes in, events out;
// a response in, bytes out. Owns the parser and the choice of framing. No sockets, clock or
// logging; used by the loop thread only.
//
// Requests are taken one at a time: after EndOfRequest the object consumes nothing until the
// response has ended and next_request() was called, so pipelined bytes simply stay with the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/output_buffer.h"
#include "server/http/content.h"
#include "server/http/request_head.h"
#include "server/http/response_head.h"
#include "server/http1/events.h"
#include "server/http1/request_rules.h"
#include "server/http1/response_serializer.h"
#include "server/options.h"

namespace cppasgi::http1 {

class RequestParser;

class Http1Protocol {
 public:
  // `limits` must outlive the object.
  explicit Http1Protocol(const HttpLimits& limits);
  ~Http1Protocol();
  Http1Protocol(const Http1Protocol&) = delete;
  Http1Protocol& operator=(const Http1Protocol&) = delete;

  // --- request side ---

  // Takes bytes from the client and returns how many it consumed; events() then holds what they
  // meant. Stops early only at EndOfRequest and ProtocolError. Never throws on peer data.
  std::size_t receive_data(std::string_view input);

  // Those of the last receive call; content aliases its input.
  const std::vector<Event>& events() const { return events_; }
  // From RequestReceived until next_request(). Before, and after a ProtocolError instead, it has
  // what could be read, of which nothing was checked.
  const http::RequestHead& request() const { return request_; }
  // Hands request() over to the caller, who keeps it; nobody may ask for it here any more.
  http::RequestHead take_request() { return std::exchange(request_, {}); }
  // No byte of a request has arrived since the last one ended.
  bool between_requests() const;
  // The client waits for "100 Continue" before it sends content (RFC 9110 10.1.1). False once any
  // content came, or after send_continue() or a final response.
  bool expects_continue() const { return expects_continue_; }
  // The request has a field http::kRootPathField.
  bool has_root_path() const;
  // The request asks for a WebSocket in HTTP/1.0, which has no Upgrade (RFC 9110 7.8).
  bool is_old_handshake() const;

  // The connection speaks another protocol now: what further requests would need is freed. Only
  // request() and bytes_to_send() remain.
  void end();
  // Nobody asks for request() any more either: it is empty and takes no memory.
  void release_request() { request_.free_memory(); }
  // Prepares for the next request on this connection; only when response_ended() and keep_alive().
  void next_request();

  // --- response side: send_head, send_content until More::No, then trailers if announced ---

  // Writes "103 Early Hints" with `links` as Link fields (RFC 8297). Precondition: HTTP/1.1, no
  // response has started, values are valid.
  void send_early_hints(const std::vector<std::string_view>& links);
  // Writes "100 Continue" if the client waits for it and no response has started.
  void send_continue();
  // Takes the head, but holds its bytes back until the first send_content, so that a failing
  // application may still be answered with an error. Transfer-Encoding from the application is
  // dropped; Connection: close is honoured; Content-Length frames the content. Without one, content
  // that comes whole in one piece gets it, other content is chunked (HTTP/1.1) or ends with the
  // connection (1.0). Precondition: fields are valid (http::is_token, http::is_field_value), status
  // 200 to 999.
  void send_head(const http::ResponseHead& head, const http::DefaultFields& defaults);
  // Writes head (the first time) and content. None goes out for HEAD, 204 and 304. After More::No
  // response_ended(), but for a first piece that is TooLong or TooShort: nothing has gone out then,
  // and send_error() may still answer.
  SendStatus send_content(std::string_view content, More more);
  // The same for `size` bytes that the caller sends itself, after what begin_content has written
  // and before end_content; none of them if the response has no content. end_content only if Sent.
  SendStatus begin_content(std::uint64_t size, More more);
  void end_content(More more) { response_.end_content(more, output_); }
  bool response_has_content() const { return response_.has_content(); }
  // Writes trailer fields. Only if the head announced trailers, after the last content, which then
  // doesn't end the response: More::No here does.
  void send_trailers(const std::vector<http::Field>& fields, More more);
  // A whole response in one call, replacing a head that is still held back: for the server's own
  // errors. Closes the connection.
  void send_error(int status, std::string_view text, const http::DefaultFields& defaults);

  bool response_started() const;  // its first byte is in bytes_to_send() or gone
  bool response_ended() const;
  bool response_has_all_content() const;  // as much as its head announced
  // Does the response never end by itself, and its client come again when it does (an EventSource,
  // HTML 9.2.3)? Those of POST, which people have answered in the same form, end and aren't
  // repeated.
  bool sends_events() const;
  // May this connection carry another request after this response? Meaningful from EndOfRequest on;
  // false too when the response ended before the request was wholly read.
  bool keep_alive() const;
  // The response in progress, or the next one, is the last (draining, or the caller's limit).
  void close_after_response();
  // Status and content size of the response, for the access log.
  int response_status() const { return status_; }
  std::uint64_t response_content_bytes() const { return response_.content_bytes(); }
  // The metrics count the response under this route; it is empty if the application names none.
  std::string_view route() const { return response_.route(); }

  OutputBuffer& bytes_to_send() { return output_; }

 private:
  const RequestTraits& traits() const;
  void close_if_needed(More more);

  std::vector<Event> events_;
  http::RequestHead request_;
  std::unique_ptr<RequestParser> parser_;  // hides llhttp
  ResponseSerializer response_;
  OutputBuffer output_;
  bool expects_continue_ = false;
  int status_ = 0;
};

}  // namespace cppasgi::http1
