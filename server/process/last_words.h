// Writes to standard error when a process may not be able to log any more: what it is doing, and
// why it ends. The lines are plain text, or JSON if the server log is.
#pragma once

#include <pthread.h>
#include <string>
#include <string_view>

namespace cppasgi {

// From now on each text is written as a JSON object, like those of
// python/cppasgi/observing/json_log.py.
void write_last_words_as_json();

// Returns `text` as it will be written, with a newline at its end.
std::string last_words(std::string_view text);

// Returns a file descriptor into which a handler of `signum`, to be installed after this call,
// writes the stacks of this process. A thread writes them to standard error as one piece, with the
// process id. Handlers that are installed already run as well. Throws std::system_error.
int collect_stacks(int signum);

// Writes `text`, unless that would block. Then sends `dump_signal` to `thread`, if that signal has
// a handler, which may write what the process was doing; a moment later the process ends with
// `status`. To be called in another thread than `thread`.
[[noreturn]] void end_with_stacks(std::string_view text, pthread_t thread, int dump_signal,
                                  int status);

}  // namespace cppasgi
