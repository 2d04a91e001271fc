// Head and content of a response as bytes (RFC 9112). The head waits in one reused string until the
// first content decides the framing, then goes out in one piece with it.
#include "server/http1/response_serializer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "server/http/status.h"
#include "server/http/syntax.h"

namespace cppasgi::http1 {
namespace {

constexpr std::size_t kFieldOverhead = 4;     // ": " and CRLF
constexpr std::size_t kUsualHeadBytes = 256;  // instead of growing step by step
constexpr std::string_view kEndOfLine = "\r\n";
constexpr std::string_view kEventStream = "text/event-stream";

// A number as text, without allocation.
class Digits {
 public:
  Digits(std::uint64_t number, int base)
      : end_(std::to_chars(text_.data(), text_.data() + text_.size(), number, base).ptr) {}
  std::string_view view() const {
    return {text_.data(), static_cast<std::size_t>(end_ - text_.data())};
  }

 private:
  std::array<char, 20> text_;
  char* end_;
};

bool parse_length(std::string_view text, std::uint64_t& length) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  return error == std::errc() && end == text.data() + text.size();
}

// Returns the options of an application's Connection field without those that the server decides.
std::string other_connection_options(std::string_view list) {
  std::string others;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view option = http::trim(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (option.empty() || http::equals_ignoring_case(option, "close") ||
        http::equals_ignoring_case(option, "keep-alive")) {
      continue;
    }
    if (!others.empty()) others += ", ";
    others += option;
  }
  return others;
}

}  // namespace

void ResponseSerializer::begin(const RequestTraits& request, const http::ResponseHead& head,
                               const http::DefaultFields& defaults) {
  head_.consume(head_.size());
  head_.reserve(kUsualHeadBytes);
  has_length_ = is_event_stream_ = false;
  begun_ = true;
  version_ = request.version;
  trailers_ = head.trailers;
  drops_length_ = head.status == 204 || trailers_;
  framing_ = request.is_head || head.status == 204 || head.status == 304 ? Framing::NoContent
                                                                         : Framing::Chunked;

  // Otherwise the status line says 1.1, to an HTTP/1.0 client as well: it is the server's own
  // version (RFC 9110 6.2).
  as_daphne_ = defaults.as_daphne;
  const bool old = as_daphne_ && version_ == http::Version::Http10;
  head_.append(old ? "HTTP/1.0 " : "HTTP/1.1 ");
  head_.append(Digits(static_cast<std::uint64_t>(head.status), 10).view());
  head_.append(' ');
  head_.append(http::reason_phrase(head.status));
  head_.append("\r\n");
  bool has_date = false;
  bool has_server = false;
  for (const auto& [name, value] : head.fields) {
    switch (name.size()) {
      case 4:
        has_date |= http::equals_ignoring_case(name, "date");
        break;
      case 6:
        has_server |= http::equals_ignoring_case(name, "server");
        break;
      case 10:
        if (!http::equals_ignoring_case(name, "connection")) break;
        add_connection(name, value);
        continue;
      case 12:
        is_event_stream_ |=
            http::equals_ignoring_case(value.substr(0, kEventStream.size()), kEventStream) &&
            http::equals_ignoring_case(name, "content-type");
        break;
      case kRouteField.size():
        if (!http::equals_ignoring_case(name, kRouteField)) break;
        route_ = http::trim(value);
        continue;
      case 14:
        if (!http::equals_ignoring_case(name, "content-length")) break;
        add_content_length(name, value);
        continue;
      case 17:
        if (http::equals_ignoring_case(name, "transfer-encoding")) continue;
        break;
      default:
        break;
    }
    add_field(name, value);
  }
  if (!has_date && !defaults.date.empty()) add_field("date", defaults.date);
  if (!has_server && !defaults.server.empty()) add_field("server", defaults.server);
  for (const auto& [name, value] : defaults.others) {
    if (!http::has_field(head.fields, name)) add_field(name, value);
  }
}

SendStatus ResponseSerializer::write(std::string_view content, More more, OutputBuffer& output) {
  const SendStatus result = begin_content(content.size(), more, output);
  if (result == SendStatus::Sent) {
    if (has_content()) output.append(content);
    end_content(more, output);
  } else if (result == SendStatus::TooShort && started_) {
    output.append(content);
    content_bytes_ += content.size();
    ended_ = closes_ = true;
  }
  return result;
}

SendStatus ResponseSerializer::begin_content(std::uint64_t size, More more, OutputBuffer& output) {
  if (!started_ && has_content() && has_length_) framing_ = Framing::Length;
  if (framing_ == Framing::Length) {
    if (const SendStatus result = check_length(size, more); result != SendStatus::Sent)
      return result;
  }
  if (!started_) {
    end_head(size, more);
    started_ = true;
    output.append(head_.view());
    head_.consume(head_.size());
  }
  if (!has_content()) return SendStatus::Sent;
  if (framing_ == Framing::Length) {
    remaining_ -= size;
  } else if (framing_ == Framing::Chunked && size != 0) {
    in_chunk_ = true;  // an empty chunk would be the last one (RFC 9112 7.1)
    output.append(Digits(size, 16).view());
    output.append(kEndOfLine);
  }
  content_bytes_ += size;
  return SendStatus::Sent;
}

void ResponseSerializer::end_content(More more, OutputBuffer& output) {
  if (framing_ == Framing::Chunked) {
    if (in_chunk_) output.append(kEndOfLine);
    in_chunk_ = false;
    if (more == More::No) output.append(trailers_ ? "0\r\n" : "0\r\n\r\n");
  }
  if (more == More::No && !trailers_) ended_ = true;
}

void ResponseSerializer::write_trailers(const std::vector<http::Field>& fields, More more,
                                        OutputBuffer& output) {
  if (framing_ == Framing::Chunked) {
    for (const auto& [name, value] : fields) {
      for (const std::string_view part : {name, std::string_view(": "), value, kEndOfLine})
        output.append(part);
    }
    if (more == More::No) output.append(kEndOfLine);
  }
  if (more == More::No) ended_ = true;
}

void ResponseSerializer::reset() {
  head_.consume(head_.size());
  route_.clear();
  remaining_ = content_bytes_ = 0;
  has_length_ = in_chunk_ = begun_ = started_ = ended_ = closes_ = false;
}

void ResponseSerializer::add_field(std::string_view name, std::string_view value) {
  char* room = head_.extend(name.size() + value.size() + kFieldOverhead);
  room = std::copy(name.begin(), name.end(), room);
  *room++ = ':';
  *room++ = ' ';
  room = std::copy(value.begin(), value.end(), room);
  *room++ = '\r';
  *room = '\n';
}

// The first valid value frames the content; further ones would be a faulty message (RFC 9112 6.3)
// and are dropped.
void ResponseSerializer::add_content_length(std::string_view name, std::string_view value) {
  if (drops_length_ || has_length_ || !parse_length(http::trim(value), remaining_)) return;
  has_length_ = true;
  add_field(name, value);
}

void ResponseSerializer::add_connection(std::string_view name, std::string_view value) {
  if (http::list_contains(value, "close")) closes_ = true;
  if (const std::string others = other_connection_options(value); !others.empty())
    add_field(name, others);
}

SendStatus ResponseSerializer::check_length(std::uint64_t size, More more) const {
  if (size > remaining_) return SendStatus::TooLong;
  return more == More::No && size < remaining_ ? SendStatus::TooShort : SendStatus::Sent;
}

// RFC 9112 6.3 (framing) and 9.3, 9.6 (persistence).
void ResponseSerializer::end_head(std::uint64_t size, More more) {
  if (framing_ == Framing::Chunked) {
    if (more == More::No && !trailers_ && !as_daphne_) {
      framing_ = Framing::Length;
      remaining_ = size;
      add_field("content-length", Digits(size, 10).view());
    } else if (version_ == http::Version::Http11) {
      head_.append("transfer-encoding: chunked\r\n");
    } else {
      framing_ = Framing::UntilClose;
      closes_ = true;
    }
  }
  if (closes_) {
    head_.append("connection: close\r\n");
  } else if (version_ == http::Version::Http10) {
    head_.append("connection: keep-alive\r\n");
  }
  head_.append("\r\n");
}

}  // namespace cppasgi::http1
