// How a fuzz target says that a rule is broken: libFuzzer keeps the input of a process that aborts.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace cppasgi::test {

inline void require(bool holds, const char* rule) {
  if (holds) return;
  std::fprintf(stderr, "broken rule: %s\n", rule);
  std::abort();
}

}  // namespace cppasgi::test
