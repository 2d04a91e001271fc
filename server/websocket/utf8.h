// UTF-8 as RFC 3629 defines it (no surrogates, no overlong forms, nothing beyond U+10FFFF), checked
// in pieces so that bad text fails at its first bad byte (RFC 6455 8.1). No decoding, no
// allocation; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cppasgi::websocket {

class Utf8Validator {
 public:
  // Takes the next piece. False as soon as the text can't become valid any more, and from then on.
  bool append(std::string_view piece);
  // The pieces so far are whole characters.
  bool complete() const { return state_ == kBoundary; }

 private:
  static constexpr std::uint64_t kBoundary =
      6;  // between two characters; see the table in utf8.cpp

  std::uint64_t state_ = kBoundary;
};

bool is_valid_utf8(std::string_view text);

// `text` without what is beyond `max_bytes`, cut between two characters. Precondition: valid UTF-8.
std::string_view truncate_utf8(std::string_view text, std::size_t max_bytes);

}  // namespace cppasgi::websocket
