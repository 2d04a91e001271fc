// Checks UTF-8 as RFC 3629 defines it: without surrogates, overlong forms and code points beyond
// U+10FFFF. The text may come in pieces, and invalid text fails at its first invalid byte (RFC 6455
// 8.1). Decodes and allocates nothing; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cppasgi::websocket {

class Utf8Validator {
 public:
  // Takes the next piece. Returns false once the text can't become valid any more.
  bool append(std::string_view piece);
  // Whether the pieces so far end with a whole character.
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
