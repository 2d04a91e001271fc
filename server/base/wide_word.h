// 16 bytes at a time: what a vector register of every 64-bit processor holds (GCC's and clang's
// vector extension). For loops over long payloads. No state; any thread.
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
