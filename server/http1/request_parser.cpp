// The strict reader around llhttp 9.3 (RFC 9112). All of llhttp's lenient flags stay off. Its
// callbacks, at the bottom of this file, only call members of the parser; they are noexcept, so
// that no exception crosses C code.
#include "server/http1/request_parser.h"

#include "server/http/syntax.h"

namespace cppasgi::http1 {
namespace {

constexpr int kStop = -1;
constexpr std::size_t kFieldLineOverhead = 4;     // ": " and CRLF
constexpr std::size_t kRequestLineOverhead = 64;  // method, version, spaces, CRLF
constexpr std::size_t kMaxUnknownMethodBytes = 64;
constexpr std::size_t kMaxChunkExtensionBytes = 512;

const llhttp_settings_t& llhttp_callbacks();

}  // namespace

RequestParser::RequestParser(const HttpLimits& limits, http::RequestHead& head,
                             std::vector<Event>& events)
    : limits_(limits), head_(head), events_(events) {
  llhttp_init(&llhttp_, HTTP_REQUEST, &llhttp_callbacks());
  llhttp_.data = this;
  head_.version = http::Version::Unread;
}

std::size_t RequestParser::execute(std::string_view input) {
  const std::size_t max_head_bytes =
      limits_.max_target_bytes + limits_.max_header_bytes + kRequestLineOverhead;
  std::size_t consumed = 0;
  while (consumed < input.size()) {
    switch (state_) {
      case RequestState::Idle:
        consumed += read_empty_line(input[consumed]);
        break;
      case RequestState::Head:
        consumed += run_llhttp(input.substr(consumed, max_head_bytes - head_bytes_));
        if (state_ == RequestState::Head && head_bytes_ == max_head_bytes) {
          // Many short lines, or blanks around values, reach this limit; the exact limits are
          // checked where an element ends.
          if (version_seen_) {
            fail(431, "header section too large");
          } else {
            fail(414, "request target too long");
          }
        }
        break;
      case RequestState::UnknownMethod:
        consumed += read_unknown_method(input[consumed]);
        break;
      case RequestState::Content:
        consumed += run_llhttp(input.substr(consumed));
        break;
      case RequestState::Complete:
      case RequestState::Failed:
        return consumed;
    }
  }
  return consumed;
}

void RequestParser::reset() {
  llhttp_reset(&llhttp_);
  head_.clear();
  head_.version = http::Version::Unread;
  traits_ = {};
  state_ = RequestState::Idle;
  cr_seen_ = empty_line_seen_ = in_field_name_ = version_seen_ = false;
  head_bytes_ = target_begin_ = protocol_begin_ = version_size_ = 0;
  field_bytes_ = extension_bytes_ = trailer_bytes_ = content_bytes_ = 0;
}

// RFC 9112 2.2: one empty line before the request line is skipped. llhttp would skip any number of
// CR and LF in any order.
std::size_t RequestParser::read_empty_line(char byte) {
  if (cr_seen_) {
    if (byte != '\n') {
      fail(400, "malformed request line");
      return 0;
    }
    cr_seen_ = false;
    empty_line_seen_ = true;
    return 1;
  }
  if (byte == '\r' && !empty_line_seen_) {
    cr_seen_ = true;
    return 1;
  }
  if (byte == '\r' || byte == '\n') {
    fail(400, "malformed request line");
  } else {
    state_ = RequestState::Head;
  }
  return 0;
}

std::size_t RequestParser::read_unknown_method(char byte) {
  const bool ended = byte == ' ' && head_bytes_ != 0;
  if (!ended && !http::is_token({&byte, 1})) {
    fail(400, "malformed request line");
    return 1;
  }
  if (!ended) head_.append_method({&byte, 1});
  if (ended || ++head_bytes_ > kMaxUnknownMethodBytes) {
    fail(501, "method not implemented");
  }
  return 1;
}

std::size_t RequestParser::run_llhttp(std::string_view piece) {
  piece_begin_ = piece.data();
  const llhttp_errno_t code = llhttp_execute(&llhttp_, piece.data(), piece.size());
  std::size_t consumed = piece.size();
  if (code != HPE_OK) {
    consumed = static_cast<std::size_t>(llhttp_get_error_pos(&llhttp_) - piece.data());
    const bool stopped_by_us = state_ == RequestState::Complete || state_ == RequestState::Failed;
    if (!stopped_by_us) {
      keep_refused(code, piece.substr(0, consumed));
      refuse_llhttp_error(code);
    }
  }
  head_bytes_ += consumed;
  return consumed;
}

// Keeps the part of a refused method or target that llhttp has `read`, for the access log. llhttp
// hands an element over only at the end of the element or of the piece.
void RequestParser::keep_refused(llhttp_errno_t code, std::string_view read) {
  const std::size_t head_bytes = head_bytes_ + read.size();
  const std::size_t target_begin = head_.method().size() + 1;
  if (code == HPE_INVALID_METHOD && head_bytes > head_.method().size()) {
    head_.append_method(read.substr(read.size() - (head_bytes - head_.method().size())));
  } else if (code == HPE_INVALID_URL && head_bytes > target_begin + head_.target().size()) {
    const std::size_t size = head_bytes - target_begin - head_.target().size();
    if (size <= read.size()) head_.append_target(read.substr(read.size() - size));
  }
}

void RequestParser::refuse_llhttp_error(llhttp_errno_t code) {
  if (state_ == RequestState::Content) {
    fail(400, "malformed chunked content");
    return;
  }
  switch (code) {
    case HPE_INVALID_METHOD:
      state_ = RequestState::UnknownMethod;
      break;
    case HPE_INVALID_VERSION:
      if (version_size_ == 3 && !version_seen_) {
        fail(505, "HTTP version not supported");
      } else {
        fail(400, "malformed request line");
      }
      break;
    case HPE_INVALID_URL:
      fail(400, "invalid request target");
      break;
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
      fail(400, "invalid Content-Length");
      break;
    case HPE_INVALID_TRANSFER_ENCODING:
      fail(400, "invalid Transfer-Encoding");
      break;
    default:
      fail(400, version_seen_ ? "malformed header field" : "malformed request line");
      break;
  }
}

int RequestParser::fail(int status, std::string_view detail) {
  state_ = RequestState::Failed;
  events_.emplace_back(ProtocolError{status, detail});
  return kStop;
}

std::size_t RequestParser::offset_in_head(std::string_view piece) const {
  return head_bytes_ + static_cast<std::size_t>(piece.data() - piece_begin_);
}

int RequestParser::take_target(std::string_view piece) {
  if (head_.target().empty()) target_begin_ = offset_in_head(piece);
  head_.append_target(piece);
  return 0;
}

int RequestParser::end_target() {
  // RFC 9112 3 wants one space; llhttp skips any number.
  if (target_begin_ != head_.method().size() + 1) return fail(400, "malformed request line");
  switch (llhttp_.method) {
    case HTTP_CONNECT:  // ASGI has no tunnels
      if (!limits_.daphne_strict || !head_.target().starts_with('/'))
        return fail(501, "method not implemented");
      llhttp_.method = HTTP_GET;  // for llhttp, lest it takes what follows for a tunnel's bytes
      break;
    case HTTP_DESCRIBE:
    case HTTP_ANNOUNCE:
    case HTTP_SETUP:
    case HTTP_PLAY:
    case HTTP_PAUSE:
    case HTTP_TEARDOWN:
    case HTTP_GET_PARAMETER:
    case HTTP_SET_PARAMETER:
    case HTTP_REDIRECT:
    case HTTP_RECORD:
    case HTTP_FLUSH:  // RTSP's
      return fail(501, "method not implemented");
    case HTTP_PRI:  // the preface of HTTP/2 (RFC 9113 3.4)
      return fail(505, "HTTP version not supported");
    default:
      break;
  }
  if (head_.target().size() > limits_.max_target_bytes) return fail(414, "request target too long");
  return 0;
}

int RequestParser::take_protocol(std::string_view piece) {
  if (piece.empty() || protocol_begin_ != 0) return 0;
  protocol_begin_ = offset_in_head(piece);
  return piece.front() == 'H' ? 0
                              : fail(400, "protocol is not HTTP");  // llhttp knows RTSP and ICE too
}

int RequestParser::end_version() {
  version_seen_ = true;
  if (protocol_begin_ != target_begin_ + head_.target().size() + 1)
    return fail(400, "malformed request line");
  if (llhttp_.http_major != 1) return fail(505, "HTTP version not supported");
  head_.version = llhttp_.http_minor == 0 ? http::Version::Http10 : http::Version::Http11;
  return 0;
}

int RequestParser::take_field_name(std::string_view piece) {
  if (state_ == RequestState::Content) return limit_trailers(piece);
  if (!in_field_name_) {
    head_.begin_field();
    in_field_name_ = true;
  }
  head_.append_field_name(piece);
  field_bytes_ += piece.size();
  return 0;
}

int RequestParser::take_field_value(std::string_view piece) {
  if (state_ == RequestState::Content) return limit_trailers(piece);
  in_field_name_ = false;
  head_.append_field_value(piece);
  field_bytes_ += piece.size();
  return 0;
}

int RequestParser::end_field_value() {
  if (state_ == RequestState::Content) return 0;
  in_field_name_ = false;
  head_.trim_field_value();
  if (head_.field_count() > limits_.max_header_count) return fail(431, "too many header fields");
  field_bytes_ += kFieldLineOverhead;
  return field_bytes_ > limits_.max_header_bytes ? fail(431, "header section too large") : 0;
}

int RequestParser::end_head() {
  if (!version_seen_) return fail(505, "HTTP version not supported");  // HTTP/0.9
  if (const std::optional<ProtocolError> refusal =
          check_request(head_, limits_.daphne_strict, traits_)) {
    return fail(refusal->status, refusal->detail);
  }
  if (limit_content(llhttp_.content_length) != 0) return kStop;
  state_ = RequestState::Content;
  events_.emplace_back(RequestReceived{});
  return 0;
}

// Checks the size of the content, or of a chunk, before any of it is read.
int RequestParser::limit_content(std::uint64_t size) {
  const std::uint64_t limit = limits_.max_content_bytes;
  if (limit != 0 && size > limit - content_bytes_) return fail(413, "content too large");
  content_bytes_ += size;
  return 0;
}

// Chunk extensions are ignored (RFC 9112 7.1.1), and limited in size.
int RequestParser::take_chunk_extension(std::string_view piece) {
  extension_bytes_ += piece.size();
  return extension_bytes_ > kMaxChunkExtensionBytes ? fail(400, "malformed chunked content") : 0;
}

// Trailer fields are parsed and dropped (RFC 9112 7.1.2): ASGI has no message for them.
int RequestParser::limit_trailers(std::string_view piece) {
  trailer_bytes_ += piece.size();
  return trailer_bytes_ > limits_.max_header_bytes ? fail(400, "malformed chunked content") : 0;
}

// llhttp's callbacks: each finds its parser and calls a member of it.
struct RequestParserCallbacks {
  static RequestParser& parser(llhttp_t* llhttp) {
    return *static_cast<RequestParser*>(llhttp->data);
  }

  static int on_method(llhttp_t* llhttp, const char* at, std::size_t size) noexcept {
    parser(llhttp).head_.append_method({at, size});
    return 0;
  }
  static int on_url(llhttp_t* llhttp, const char* at, std::size_t size) noexcept {
    return parser(llhttp).take_target({at, size});
  }
  static int on_url_complete(llhttp_t* llhttp) noexcept { return parser(llhttp).end_target(); }
  static int on_protocol(llhttp_t* llhttp, const char* at, std::size_t size) noexcept {
    return parser(llhttp).take_protocol({at, size});
  }
  static int on_version(llhttp_t* llhttp, const char*, std::size_t size) noexcept {
    parser(llhttp).version_size_ += size;
    return 0;
  }
  static int on_version_complete(llhttp_t* llhttp) noexcept { return parser(llhttp).end_version(); }
  static int on_header_field(llhttp_t* llhttp, const char* at, std::size_t size) noexcept {
    return parser(llhttp).take_field_name({at, size});
  }
  static int on_header_value(llhttp_t* llhttp, const char* at, std::size_t size) noexcept {
    return parser(llhttp).take_field_value({at, size});
  }
  static int on_header_value_complete(llhttp_t* llhttp) noexcept {
    return parser(llhttp).end_field_value();
  }
  static int on_headers_complete(llhttp_t* llhttp) noexcept { return parser(llhttp).end_head(); }
  static int on_body(llhttp_t* llhttp, const char* at, std::size_t size) noexcept {
    parser(llhttp).events_.emplace_back(ContentReceived{{at, size}});
    return 0;
  }
  static int on_chunk_extension(llhttp_t* llhttp, const char* at, std::size_t size) noexcept {
    return parser(llhttp).take_chunk_extension({at, size});
  }
  static int on_chunk_header(llhttp_t* llhttp) noexcept {
    parser(llhttp).extension_bytes_ = 0;
    return parser(llhttp).limit_content(llhttp->content_length);
  }
  static int on_message_complete(llhttp_t* llhttp) noexcept {
    parser(llhttp).state_ = RequestState::Complete;
    parser(llhttp).events_.emplace_back(EndOfRequest{});
    return HPE_PAUSED;
  }

  static llhttp_settings_t settings() {
    llhttp_settings_t settings{};
    settings.on_method = on_method;
    settings.on_url = on_url;
    settings.on_url_complete = on_url_complete;
    settings.on_protocol = on_protocol;
    settings.on_version = on_version;
    settings.on_version_complete = on_version_complete;
    settings.on_header_field = on_header_field;
    settings.on_header_value = on_header_value;
    settings.on_header_value_complete = on_header_value_complete;
    settings.on_headers_complete = on_headers_complete;
    settings.on_body = on_body;
    settings.on_chunk_extension_name = on_chunk_extension;
    settings.on_chunk_extension_value = on_chunk_extension;
    settings.on_chunk_header = on_chunk_header;
    settings.on_message_complete = on_message_complete;
    return settings;
  }
};

namespace {

const llhttp_settings_t& llhttp_callbacks() {
  static const llhttp_settings_t settings = RequestParserCallbacks::settings();
  return settings;
}

}  // namespace

}  // namespace cppasgi::http1
