// Ends the process at a deadline, come what may: with a thread of its own, which needs neither an
// event loop nor the interpreter, so code that never returns can't stop it. A process has one, as
// it has one set of signal handlers.
#pragma once

#include <chrono>
#include <vector>

namespace cppasgi {

// From then on the first of `signals` (numbers) starts a countdown of `grace`, before the handler
// that is installed for it runs; signals without a handler are left alone. Install handlers first:
// whoever replaces one takes the guard off that signal. At the deadline the thread that called this
// gets `dump_signal`, if that has a handler, which may write down what the process was doing; a
// moment later the process ends with status 1. Throws std::system_error. Calling it again replaces
// `grace`.
void guard_stop(const std::vector<int>& signals, std::chrono::milliseconds grace, int dump_signal);

// Starts the countdown now, or replaces the running one.
void end_process_in(std::chrono::milliseconds time);

// Takes the deadline back. Any thread.
void keep_process();

// Sends `signum` to this process when its parent ends, and at once if it has ended already, which
// is so when the parent isn't `parent_pid` any more.
void die_with_parent(int parent_pid, int signum);

}  // namespace cppasgi
