// Ends a process whose event loop is stuck for good: by a thread that needs neither the loop nor
// the interpreter, so code that never gives either back can't stop it.
//
// The loop gives signs of life; the thread counts the time without one. Only time in which the
// process could run counts, and no clock tells how much that is: while a process is stopped
// (SIGSTOP, a debugger, a frozen cgroup) or its machine is suspended, the thread doesn't wake up
// either. So each of its rounds counts for two at most, however long ago the one before was.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace cppasgi {

class LoopGuard {
 public:
  using OnSilence = std::function<void(std::chrono::nanoseconds)>;

  // The thread that calls this is the loop's. After `limit` without a sign of life, unless that is
  // milliseconds::max(), the process ends with `status` as end_with_stacks() does it. A round takes
  // `period`; each calls `on_silence`, if there is one, in the guard's thread: signals of life must
  // come as often. Throws std::system_error when there can be no thread.
  LoopGuard(std::chrono::milliseconds limit, std::chrono::milliseconds period, int dump_signal,
            int status, OnSilence on_silence);
  ~LoopGuard();  // as stop()
  LoopGuard(const LoopGuard&) = delete;
  LoopGuard& operator=(const LoopGuard&) = delete;

  // The loop runs.
  void beat();
  // From now on nothing happens to the process any more. Waits for nobody.
  void stop();

 private:
  struct State;

  std::shared_ptr<State> state_;  // the thread has it too
};

}  // namespace cppasgi
