// The end of a process that can't end itself in order: it says why, and what it was doing.
#pragma once

#include <pthread.h>
#include <string_view>

namespace cppasgi {

// Writes `line` to standard error, unless nobody reads that. Then `thread` gets `dump_signal`, if
// that has a handler, which may write down what the process was doing; a moment later the process
// ends with `status`. Any thread but that one; waits for nobody.
[[noreturn]] void end_with_stacks(std::string_view line, pthread_t thread, int dump_signal,
                                  int status);

}  // namespace cppasgi
