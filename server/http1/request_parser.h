// Turns request bytes into HTTP/1 events (RFC 9112 sections 2 to 7). It runs llhttp in its strict
// mode, and adds the rules and limits that llhttp lacks. It knows nothing about responses. Each
// connection has one. Loop thread only. The events are the same however the input is cut into
// pieces: limits are checked at the end of an element or at a fixed number of bytes, never at the
// end of a piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <llhttp.h>

#include "server/http/request_head.h"
#include "server/http1/events.h"
#include "server/http1/request_rules.h"
#include "server/options.h"

namespace cppasgi::http1 {

// How far the current request has been read.
enum class RequestState : std::uint8_t {
  Idle,           // not a byte yet, or only an empty line
  Head,           // in the request line or the fields
  UnknownMethod,  // in a method that llhttp doesn't know: to its end, to tell 501 from 400
  Content,        // after RequestReceived
  Complete,       // after EndOfRequest
  Failed,         // after ProtocolError
};

class RequestParser {
 public:
  // The arguments must outlive the parser. It fills `head`, which is complete from RequestReceived
  // on, and appends to `events`.
  RequestParser(const HttpLimits& limits, http::RequestHead& head, std::vector<Event>& events);
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Parses `input` and returns how many bytes it consumed: all, or those up to the state Complete
  // or Failed.
  std::size_t execute(std::string_view input);
  // Starts over with the next request.
  void reset();

  RequestState state() const { return state_; }
  // Valid from RequestReceived on.
  const RequestTraits& traits() const { return traits_; }

 private:
  friend struct RequestParserCallbacks;

  std::size_t read_empty_line(char byte);
  std::size_t read_unknown_method(char byte);
  std::size_t run_llhttp(std::string_view piece);
  void refuse_llhttp_error(llhttp_errno_t code);
  void keep_refused(llhttp_errno_t code, std::string_view read);
  int fail(int status, std::string_view detail);

  // llhttp's callbacks call these; a result other than 0 stops llhttp.
  int take_target(std::string_view piece);
  int end_target();
  int take_protocol(std::string_view piece);
  int end_version();
  int take_field_name(std::string_view piece);
  int take_field_value(std::string_view piece);
  int end_field_value();
  int end_head();
  int limit_content(std::uint64_t size);
  int take_chunk_extension(std::string_view piece);
  int limit_trailers(std::string_view piece);
  std::size_t offset_in_head(std::string_view piece) const;

  const HttpLimits& limits_;
  http::RequestHead& head_;
  std::vector<Event>& events_;
  llhttp_t llhttp_;
  RequestTraits traits_;
  RequestState state_ = RequestState::Idle;
  bool cr_seen_ = false;  // of an empty line before the request line
  bool empty_line_seen_ = false;
  bool in_field_name_ = false;
  bool version_seen_ = false;
  const char* piece_begin_ = nullptr;  // what llhttp reads now
  std::size_t head_bytes_ = 0;         // of this head, before piece_begin_
  std::size_t target_begin_ = 0;       // in the head
  std::size_t protocol_begin_ = 0;
  std::size_t version_size_ = 0;
  std::size_t field_bytes_ = 0;
  std::size_t extension_bytes_ = 0;  // of this chunk
  std::size_t trailer_bytes_ = 0;
  std::uint64_t content_bytes_ = 0;  // announced so far
};

}  // namespace cppasgi::http1
