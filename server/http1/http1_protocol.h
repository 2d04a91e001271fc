// HTTP/1.0 and 1.1 for one server connection, without I/O (RFC 9112): request bytes in, events out;
// a response in, bytes out. It owns the parser and chooses the framing. It has no sockets, clock or
// logging. Used by the loop thread only.
//
// It takes one request at a time: after EndOfRequest it consumes nothing until the response has
// ended and next_request() was called. So the bytes of pipelined requests stay with the caller.
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

  // Takes bytes from the client and returns how many it consumed; events() then has what they mean.
  // It stops before the end of `input` only at EndOfRequest and ProtocolError. No data from the
  // peer makes it throw.
  std::size_t receive_data(std::string_view input);

  // The events of the last receive_data(); their content points into its input.
  const std::vector<Event>& events() const { return events_; }
  // The request's head; valid from RequestReceived until next_request(). Before that, and after a
  // ProtocolError in the head, it has the parts that could be read, which weren't checked.
  const http::RequestHead& request() const { return request_; }
  // Moves request() to the caller. Precondition: request() isn't called any more.
  http::RequestHead take_request() { return std::exchange(request_, {}); }
  // No byte of a request has arrived since the last one ended.
  bool between_requests() const;
  // Whether the client waits for "100 Continue" before it sends content (RFC 9110 10.1.1). False
  // once content has come, and after send_continue() or a final response.
  bool expects_continue() const { return expects_continue_; }
  // Whether the request has a field http::kRootPathField.
  bool has_root_path() const;
  // Whether the request asks for a WebSocket in HTTP/1.0, which has no Upgrade (RFC 9110 7.8).
  bool is_old_handshake() const;

  // Prepares for the next request of the connection. Precondition: response_ended() and
  // keep_alive().
  void next_request();

  // --- response side: send_head, send_content until More::No, then trailers if announced ---

  // Writes "103 Early Hints" with `links` as Link fields (RFC 8297). Precondition: HTTP/1.1, no
  // response has started, values are valid.
  void send_early_hints(const std::vector<std::string_view>& links);
  // Writes "100 Continue" if the client waits for it and no response has started.
  void send_continue();
  // Takes the head, but keeps its bytes until the first send_content(), so that send_error() can
  // still replace it if the application fails. The application's Transfer-Encoding is dropped, its
  // "Connection: close" is obeyed, and its Content-Length frames the content. Without a
  // Content-Length, content that comes in one piece gets one; other content is chunked (HTTP/1.1)
  // or ends with the connection (HTTP/1.0). Precondition: fields are valid (http::is_token,
  // http::is_field_value), status 200 to 999.
  void send_head(const http::ResponseHead& head, const http::DefaultFields& defaults);
  // Writes the head, the first time, and the content, which is left out for HEAD, 204 and 304.
  // More::No ends the response. If the first piece is TooLong or TooShort, nothing is written, and
  // send_error() may still answer.
  SendStatus send_content(std::string_view content, More more);
  // Like send_content(), for `size` bytes that the caller sends itself between begin_content() and
  // end_content(), unless response_has_content() is false. end_content() may follow only if the
  // result is Sent.
  SendStatus begin_content(std::uint64_t size, More more);
  void end_content(More more) { response_.end_content(more, output_); }
  bool response_has_content() const { return response_.has_content(); }
  // Writes trailer fields. Precondition: the head announced trailers, and all content was sent,
  // which then didn't end the response. More::No ends it here.
  void send_trailers(const std::vector<http::Field>& fields, More more);
  // Writes a whole response for an error of the server's own, in place of a head that hasn't been
  // written yet. The connection closes after it.
  void send_error(int status, std::string_view text, const http::DefaultFields& defaults);

  bool response_started() const;  // its first byte is in bytes_to_send() or gone
  bool response_ended() const;
  bool response_has_all_content() const;  // as much as its head announced
  // Whether this is the response to an EventSource (HTML 9.2.3): it has no end of its own, and the
  // client reconnects when it ends. Event streams in answer to a POST aren't meant: they end, and
  // clients don't repeat them.
  bool sends_events() const;
  // Whether the connection may carry another request after this response. Valid from EndOfRequest
  // on. False as well if the response ended before the request was read to its end.
  bool keep_alive() const;
  // Makes the current response, or the next one, the connection's last.
  void close_after_response();
  // Status and content bytes of the response, for the access log.
  int response_status() const { return status_; }
  std::uint64_t response_content_bytes() const { return response_.content_bytes(); }
  // The route under which the metrics count the response; empty if the application names none.
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
