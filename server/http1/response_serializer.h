// Turns a response into bytes (RFC 9112 sections 4 to 7 and 9): status line, fields, framing,
// content. It chooses the framing and writes the fields for it. It knows nothing about parsing, and
// relies on its caller for the order of calls. Each connection has one. Loop thread only.
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

// The response field in which an application names the request's route, for the metrics.
constexpr std::string_view kRouteField = "cppasgi-route";

class ResponseSerializer {
 public:
  // Writes the status line and the fields, except those for framing and connection, into a block of
  // its own. Replaces a head that write() hasn't written yet.
  void begin(const RequestTraits& request, const http::ResponseHead& head,
             const http::DefaultFields& defaults);
  // Appends the head, the first time, and then the content to `output`. The last piece ends the
  // response, unless the head announced trailers. If the first piece is TooLong or TooShort, the
  // response isn't started. Precondition: begin() was called, and More::No wasn't passed yet.
  SendStatus write(std::string_view content, More more, OutputBuffer& output);
  // Like write(), in two steps, for `size` bytes of content that are sent in another way in
  // between. begin_content() appends what comes before them, and end_content() what comes after
  // them. Precondition of end_content(): begin_content() returned Sent.
  SendStatus begin_content(std::uint64_t size, More more, OutputBuffer& output);
  void end_content(More more, OutputBuffer& output);
  // Appends trailer fields (RFC 9112 7.1.2). Precondition: the head announced them, and the last
  // content was written.
  void write_trailers(const std::vector<http::Field>& fields, More more, OutputBuffer& output);
  // Makes this the connection's last response. The head says so if it isn't written yet.
  void close() { closes_ = true; }
  // Forgets the response for the next one.
  void reset();

  bool begun() const { return begun_; }
  bool started() const { return started_; }
  bool ended() const { return ended_; }
  // Whether all content that the head announced is written, even if the caller hasn't said yet that
  // it was the last.
  bool has_all_content() const {
    return started_ && framing_ == Framing::Length && remaining_ == 0;
  }
  bool closes() const { return closes_; }
  // Whether the content is server-sent events (HTML 9.2) without an announced length. Precondition:
  // begin().
  bool is_event_stream() const { return is_event_stream_ && !has_length_ && has_content(); }
  // Whether the response has content; false for HEAD, 204 and 304. Precondition: begin().
  bool has_content() const { return framing_ != Framing::NoContent; }
  std::uint64_t content_bytes() const { return content_bytes_; }
  // The application's name for the route, from a field kRouteField, which isn't sent; empty if
  // there was none.
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
