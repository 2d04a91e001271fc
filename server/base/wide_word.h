// A word of 16 bytes for loops over long payloads: every 64-bit processor has vector registers of
// that size (GCC's and clang's vector extension). No state; any thread.
#pragma once

#include <cstdint>
#include <cstring>

namespace cppasgi {

using WideWord = std::uint64_t __attribute__((vector_size(16)));

inline WideWord load_wide(const char* bytes) {
  WideWord word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

inline void store_wide(char* bytes, WideWord word) { std::memcpy(bytes, &word, sizeof word); }

}  // namespace cppasgi
