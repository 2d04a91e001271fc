// What a process writes to standard error when it may not be able to log any more: what it is
// doing, and why it ends. As lines for people, or as JSON where the server log is.
#pragma once

#include <pthread.h>
#include <string>
#include <string_view>

namespace cppasgi {

// From then on each text is an object like those of python/cppasgi/observing/json_log.py.
void write_last_words_as_json();

// The text as it will be written: with its newline.
std::string last_words(std::string_view text);

// Has stacks of this process collected, which the handler of `signum` writes into the file that
// this returns (for it to be registered after this): a thread writes them to standard error at
// once, whole, with the process id. Handlers that are there already run as well. Throws
// std::system_error.
int collect_stacks(int signum);

// Writes `text`, unless nobody reads standard error. Then `thread` gets `dump_signal`, if that has
// a handler, which may write down what the process was doing; a moment later the process ends with
// `status`. Any thread but that one; waits for nobody.
[[noreturn]] void end_with_stacks(std::string_view text, pthread_t thread, int dump_signal,
                                  int status);

}  // namespace cppasgi
