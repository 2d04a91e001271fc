// Any bytes behind the head of a chunked request: the content and its end are those that a second
// decoder, written from RFC 9112 7.1 alone, finds, and the same however the bytes are cut. The
// input is what follows the head. The second decoder has no opinion on extensions and trailers.
#include <cstdint>
#include <string>
#include <string_view>

#include "require.h"
#include "support/http1_log.h"

namespace {

using cppasgi::HttpLimits;
using cppasgi::http1::Http1Protocol;
using cppasgi::test::require;

constexpr std::string_view kHead =
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

enum class End { Complete, Cut, Malformed, NoOpinion };

struct Decoded {
  std::string content;
  End end = End::Cut;
  std::size_t size = 0;  // of the encoded bytes, when complete
};

bool is_hex_digit(char byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
         (byte >= 'A' && byte <= 'F');
}

// chunked-body = *chunk last-chunk trailer-section CRLF
Decoded decode(std::string_view text) {
  Decoded decoded;
  const std::size_t whole = text.size();
  const auto end = [&](End how) {
    decoded.end = how;
    decoded.size = whole - text.size();
    return decoded;
  };
  const auto skip_line_end = [&text] {
    if (text.substr(0, 2) == std::string_view("\r\n").substr(0, text.size())) {
      if (text.size() < 2) return End::Cut;
      text.remove_prefix(2);
      return End::Complete;
    }
    return End::Malformed;
  };
  while (true) {
    std::uint64_t size = 0;
    std::size_t digits = 0;
    for (; digits < text.size() && is_hex_digit(text[digits]); ++digits) {
      if (size >> 60 != 0) return end(End::Malformed);
      const char digit = text[digits];
      size = size * 16 +
             static_cast<std::uint64_t>(digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10);
    }
    if (digits == 0) return end(text.empty() ? End::Cut : End::Malformed);
    text.remove_prefix(digits);
    if (text.starts_with(';')) return end(End::NoOpinion);
    if (const End line = skip_line_end(); line != End::Complete) return end(line);
    if (size == 0) break;
    const std::string_view data = text.substr(0, size);
    decoded.content += data;
    text.remove_prefix(data.size());
    if (data.size() < size) return end(End::Cut);
    if (const End line = skip_line_end(); line != End::Complete) return end(line);
  }
  if (!text.empty() && text.front() != '\r') return end(End::NoOpinion);  // trailers
  return end(skip_line_end());
}

Decoded receive(std::string_view text, std::size_t piece_size) {
  const HttpLimits limits;
  Http1Protocol protocol(limits);
  Decoded decoded;
  const auto after = [&decoded](Http1Protocol& from) {
    for (const cppasgi::http1::Event& event : from.events()) {
      require(decoded.end == End::Cut, "nothing follows the end");
      if (const auto* content = std::get_if<cppasgi::http1::ContentReceived>(&event)) {
        decoded.content += content->bytes;
      } else if (std::holds_alternative<cppasgi::http1::EndOfRequest>(event)) {
        decoded.end = End::Complete;
      } else if (std::holds_alternative<cppasgi::http1::ProtocolError>(event)) {
        decoded.end = End::Malformed;
      }
    }
  };
  cppasgi::test::feed(protocol, kHead, after);
  while (!text.empty() && decoded.end == End::Cut) {
    const std::string_view piece = text.substr(0, piece_size);
    decoded.size += cppasgi::test::feed(protocol, piece, after);
    text.remove_prefix(piece.size());
  }
  return decoded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Decoded expected = decode(text);
  for (const std::size_t piece_size : {std::size_t{1}, std::size_t{3}, text.size() + 1}) {
    const Decoded received = receive(text, piece_size);
    if (expected.end == End::NoOpinion) {
      require(received.content.starts_with(expected.content), "the content up to an extension");
      continue;
    }
    require(received.content == expected.content, "the content is as RFC 9112 7.1 says");
    require(received.end == expected.end, "the end is as RFC 9112 7.1 says");
    if (expected.end == End::Complete) {
      require(received.size == expected.size, "no byte of the next request is taken");
    }
  }
  return 0;
}
