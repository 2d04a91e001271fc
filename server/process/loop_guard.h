// Ends a process whose event loop is stuck. A thread does that which needs neither the loop nor the
// interpreter, so code that never gives those back can't prevent it.
//
// The loop calls beat(); the thread counts the time without a beat. Only time in which the process
// could run must count, and no clock measures that: while a process is stopped (SIGSTOP, a
// debugger, a frozen cgroup) or its machine is suspended, the thread doesn't wake up either. So the
// time between two wake-ups of the thread counts as two periods at most.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace cppasgi {

class LoopGuard {
 public:
  using OnSilence = std::function<void(std::chrono::nanoseconds)>;

  // To be called in the loop's thread. After `limit` without a beat, end_with_stacks() ends the
  // process with `status`; milliseconds::max() means never. The guard's thread wakes up every
  // `period` and then calls `on_silence`, if there is one, with the time without a beat, so beats
  // must come as often. Throws std::system_error if the thread can't be started.
  LoopGuard(std::chrono::milliseconds limit, std::chrono::milliseconds period, int dump_signal,
            int status, OnSilence on_silence);
  ~LoopGuard();  // as stop()
  LoopGuard(const LoopGuard&) = delete;
  LoopGuard& operator=(const LoopGuard&) = delete;

  // Says that the loop runs.
  void beat();
  // Stops guarding. Doesn't wait for the thread to end.
  void stop();

 private:
  struct State;

  std::shared_ptr<State> state_;  // the thread has it too
};

}  // namespace cppasgi
