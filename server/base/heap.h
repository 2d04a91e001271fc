// How the process's heap treats freed memory; only glibc's can be told. Any thread, once, at the
// start of a program whose main purpose is to serve.
#pragma once

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace cppasgi {

// Keeps up to 64 MiB of freed memory at hand, and takes blocks of up to 32 MiB from it: what glibc
// itself arrives at once a block of 32 MiB has been freed. Before that it returns a message of 1 MB
// to the kernel as soon as it is freed and takes its pages again for the next one, which is a third
// of what echoing it costs.
inline void keep_freed_memory() {
#if defined(__GLIBC__)
  constexpr int kMiB = 1024 * 1024;
  mallopt(M_MMAP_THRESHOLD, 32 * kMiB);
  mallopt(M_TRIM_THRESHOLD, 64 * kMiB);
#endif
}

}  // namespace cppasgi
