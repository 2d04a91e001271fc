// Turns a response into bytes (RFC 9112 sections 4 to 7 and 9): status line, fields, framing,
// content. Chooses the framing and owns the fields that carry it; knows nothing of parsing or of
// who may call when. One per connection, loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/output_buffer.h"
#include "server/http/content.h"
#include "server/http/default_fields.h"
#include "server/http/response_head.h"
#include "server/http1/request_rules.h"

namespace cppasgi::http1 {

// An application names the route of a request in it, for the metrics.
constexpr std::string_view kRouteField = "cppasgi-route";

class ResponseSerializer {
 public:
  // Writes status line and fields into a block of its own, all but framing and connection. Replaces
  // a head that write() hasn't sent yet.
  void begin(const RequestTraits& request, const http::ResponseHead& head,
             const http::DefaultFields& defaults);
  // Appends content to `output`, before it, the first time, the head. Precondition: begin(), and no
  // More::No yet. A first piece that is TooLong or TooShort leaves the response unstarted. The
  // last piece ends the response unless its head announced trailers.
  SendStatus write(std::string_view content, More more, OutputBuffer& output);
  // The same in two steps, for `size` bytes of content that reach the client another way in
  // between: what comes before them, and, if that is Sent, what comes after them.
  SendStatus begin_content(std::uint64_t size, More more, OutputBuffer& output);
  void end_content(More more, OutputBuffer& output);
  // Appends trailer fields (RFC 9112 7.1.2); only after the last content, if the head announced
  // them.
  void write_trailers(const std::vector<http::Field>& fields, More more, OutputBuffer& output);
  // Makes this the connection's last response; said in the head if it hasn't gone yet.
  void close() { closes_ = true; }
  // Forgets the response for the next one.
  void reset();

  bool begun() const { return begun_; }
  bool started() const { return started_; }
  bool ended() const { return ended_; }
  // All that the head announced is written, maybe before the caller says that it was the last.
  bool has_all_content() const {
    return started_ && framing_ == Framing::Length && remaining_ == 0;
  }
  bool closes() const { return closes_; }
  // Are these server-sent events (HTML 9.2) of no announced length? Precondition: begin().
  bool is_event_stream() const { return is_event_stream_ && !has_length_ && has_content(); }
  // Not so for HEAD, 204 and 304. Precondition: begin().
  bool has_content() const { return framing_ != Framing::NoContent; }
  std::uint64_t content_bytes() const { return content_bytes_; }
  // What the application called its route in a field kRouteField, which isn't sent; maybe empty.
  std::string_view route() const { return route_; }

 private:
  enum class Framing : std::uint8_t { NoContent, Length, Chunked, UntilClose };

  void add_field(std::string_view name, std::string_view value);
  void add_content_length(std::string_view name, std::string_view value);
  void add_connection(std::string_view name, std::string_view value);
  SendStatus check_length(std::uint64_t size, More more) const;
  void end_head(std::uint64_t size, More more);

  OutputBuffer head_;
  std::string route_;
  std::uint64_t remaining_ = 0;  // of an announced Content-Length
  std::uint64_t content_bytes_ = 0;
  Framing framing_ = Framing::Chunked;
  http::Version version_ = http::Version::Http11;
  bool has_length_ = false;
  bool as_daphne_ = false;
  bool drops_length_ = false;  // no Content-Length with 204 (RFC 9110 8.6) or with trailers
  bool trailers_ = false;      // follow the content
  bool is_event_stream_ = false;
  bool in_chunk_ = false;
  bool begun_ = false;
  bool started_ = false;
  bool ended_ = false;
  bool closes_ = false;
};

}  // namespace cppasgi::http1
