// Controls what the process's heap does with freed memory; only glibc's heap can be controlled. The
// heap belongs to the whole process, so only a program whose main purpose is to serve should call
// this.
#pragma once

#include <cstddef>

namespace cppasgi {

// Has the heap keep up to 64 MiB of freed memory, and serve blocks of up to 32 MiB from it. glibc
// chooses these values itself once a block of 32 MiB has been freed. Before that, it returns the
// memory of a 1 MB message to the kernel as soon as the message is freed, and fetches the pages
// again for the next one, which is a third of the cost of an echo. With these values glibc returns
// only the top of the heap to the kernel, so servers call give_back_freed_memory() as well
// (server/heap_trimmer.h). To be called once, at the start, in any thread.
void keep_freed_memory();
bool keeps_freed_memory();

// Returns all free pages of the heap to the kernel, wherever they lie. Takes a millisecond for 30
// MB. Any thread.
void give_back_freed_memory();

// The process's resident memory in bytes; 0 if it can't be determined.
std::size_t resident_bytes();

}  // namespace cppasgi
