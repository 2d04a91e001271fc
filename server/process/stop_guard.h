// Decides what signals to stop mean, and ends the process at a deadline. A thread does that which
// needs neither an event loop nor the interpreter, so code that never returns can't prevent it. The
// state is the process's, as signal handlers are.
//
// SIGTERM and SIGINT ask for a stop. A service manager signals every process of a unit, and a
// supervisor passes on what it got: the same request comes more than once. Only a later SIGINT, or
// a SIGTERM at least a second after the first request, insists on an end now.
#pragma once

#include <chrono>
#include <vector>

namespace cppasgi {

// Has the first SIGTERM end the process at once, with status 0, since there is nothing to finish
// yet. Holds until another handler is installed. The first process in a container needs this, as it
// has no default action for signals.
void end_at_sigterm();

// From now on the first of `signals` (numbers) that comes starts a countdown of `grace`, before its
// handler runs. Signals without a handler are left alone. Handlers must be installed before this
// call: replacing one later removes the guard from that signal. At the deadline `dump_signal` is
// sent to the thread that called this, if that signal has a handler, which may write what the
// process was doing; a moment later the process ends with status 1. Throws std::system_error.
// Calling it again replaces `grace` and forgets earlier requests.
void guard_stop(const std::vector<int>& signals, std::chrono::milliseconds grace, int dump_signal);

// Whether somebody has insisted since guard_stop(). Decided by when signals came, not by when their
// handlers ran.
bool stop_insisted();

// Gives SIGTERM its default action, except for repeats of the request that stopped the server.
void pass_over_repeats();

// Starts the countdown now, or replaces the running one.
void end_process_in(std::chrono::milliseconds time);

// Cancels the countdown. Any thread.
void keep_process();

// Has the kernel send `signum` to this process when its parent ends. Sends it at once if the parent
// has ended already, so that it isn't `parent_pid` any more. Signals from the parent, this one
// included, never insist: the parent has other means.
void die_with_parent(int parent_pid, int signum);

}  // namespace cppasgi
