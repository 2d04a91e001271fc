// How the process's heap treats freed memory; only glibc's can be told. It is the process's, not a
// server's, so this is for a program whose main purpose is to serve.
#pragma once

#include <cstddef>

namespace cppasgi {

// Keeps up to 64 MiB of freed memory at hand, and takes blocks of up to 32 MiB from it: what glibc
// itself arrives at once a block of 32 MiB has been freed. Before that it returns a message of 1 MB
// to the kernel as soon as it is freed and takes its pages again for the next one, which is a third
// of what echoing it costs. From then on glibc returns only what lies at the top of the heap, so
// servers call give_back_freed_memory() (server/heap_trimmer.h). Any thread, once, at the start.
void keep_freed_memory();
bool keeps_freed_memory();

// Gives all freed memory back to the kernel, page by page, wherever it lies; takes a millisecond
// for 30 MB. Any thread.
void give_back_freed_memory();

// The memory that the process has, in bytes; 0 if that can't be told.
std::size_t resident_bytes();

}  // namespace cppasgi
