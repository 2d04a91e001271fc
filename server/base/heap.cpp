#include "server/base/heap.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace cppasgi {

namespace {

std::atomic<bool> keeps{false};

}  // namespace

void keep_freed_memory() {
#if defined(__GLIBC__)
  constexpr int kMiB = 1024 * 1024;
  mallopt(M_MMAP_THRESHOLD, 32 * kMiB);
  mallopt(M_TRIM_THRESHOLD, 64 * kMiB);
  keeps = true;
#endif
}

bool keeps_freed_memory() { return keeps; }

void give_back_freed_memory() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

std::size_t resident_bytes() {
  std::FILE* const file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  std::size_t pages = 0;
  const bool is_read = std::fscanf(file, "%*u %zu", &pages) == 1;
  std::fclose(file);
  return is_read ? pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace cppasgi
