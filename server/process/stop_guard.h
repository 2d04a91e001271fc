// What signals to stop mean, and a deadline at which the process ends, come what may: with a thread
// of its own, which needs neither an event loop nor the interpreter, so code that never returns
// can't stop it. A process has one, as it has one set of signal handlers.
//
// SIGTERM and SIGINT ask for a stop. A service manager signals every process of a unit, and a
// supervisor passes on what it got: the same request comes more than once. Only a later SIGINT, or
// a SIGTERM at least a second after the first request, insists on an end now.
#pragma once

#include <chrono>
#include <vector>

namespace cppasgi {

// The first SIGTERM ends the process at once, with status 0, as there is nothing to finish yet:
// until somebody installs another handler. The process that the kernel starts first in a container
// has no default action to rely on.
void end_at_sigterm();

// From then on the first of `signals` (numbers) starts a countdown of `grace`, before the handler
// that is installed for it runs; signals without a handler are left alone. Install handlers first:
// whoever replaces one takes the guard off that signal. At the deadline the thread that called this
// gets `dump_signal`, if that has a handler, which may write down what the process was doing; a
// moment later the process ends with status 1. Throws std::system_error. Calling it again replaces
// `grace` and forgets earlier requests.
void guard_stop(const std::vector<int>& signals, std::chrono::milliseconds grace, int dump_signal);

// Has somebody insisted since? By when the signals came, not by when their handlers ran.
bool stop_insisted();

// Gives SIGTERM its default action, but not for repeats of the request that stopped the server.
void pass_over_repeats();

// Starts the countdown now, or replaces the running one.
void end_process_in(std::chrono::milliseconds time);

// Takes the deadline back. Any thread.
void keep_process();

// Sends `signum` to this process when its parent ends, and at once if it has ended already, which
// is so when the parent isn't `parent_pid` any more. Signals from the parent, that one among them,
// never insist: it has other ways.
void die_with_parent(int parent_pid, int signum);

}  // namespace cppasgi
