// Whether bytes are ASCII, many at a time. No state, no allocation; any thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "server/base/wide_word.h"

namespace cppasgi {

inline constexpr std::size_t kAsciiBlockBytes = 4 * sizeof(WideWord);

inline bool has_ascii_only(WideWord word) {
  return ((word[0] | word[1]) & 0x8080808080808080U) == 0;
}

// Whether the kAsciiBlockBytes bytes at `block` are all ASCII.
inline bool is_ascii_block(const char* block) {
  constexpr std::size_t kStep = sizeof(WideWord);
  return has_ascii_only(load_wide(block) | load_wide(block + kStep) | load_wide(block + 2 * kStep) |
                        load_wide(block + 3 * kStep));
}

inline bool is_ascii(std::string_view text) {
  for (; text.size() >= kAsciiBlockBytes; text.remove_prefix(kAsciiBlockBytes)) {
    if (!is_ascii_block(text.data())) return false;
  }
  unsigned all = 0;
  for (const char letter : text) all |= static_cast<unsigned char>(letter);
  return all < 0x80;
}

}  // namespace cppasgi
