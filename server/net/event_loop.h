// libuv's loop, and what all of its streams share: one read buffer, and a flag that the loop must
// run again. It runs by itself (run_once) or embedded in another loop (run_ready, with backend_fd
// and next_due). Used by the thread that made it. The process must ignore SIGPIPE, which writes of
// libuv raise.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

struct uv_loop_s;

namespace cppasgi::net {

class Timer;

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();  // precondition: everything that lives on it is destroyed; runs the outstanding
                 // close callbacks
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Waits for events and dispatches them once.
  void run_once();
  // Dispatches what is ready, without waiting.
  void run_ready();
  // Like run_ready(), repeated while callbacks start new handles: libuv registers those only in its
  // next tick.
  void run_pending();

  // Embedded in another loop: run_ready() is due when this descriptor is readable, at next_due() on
  // now()'s clock, and when touched().
  int backend_fd() const;
  std::optional<std::chrono::milliseconds> next_due() const;  // none: no timer is running
  // Whether something was started or closed since libuv last ran. touch() notes that, and calls the
  // hook the first time.
  bool touched() const { return touched_; }
  void touch() {
    if (touched_) return;
    touched_ = true;
    if (on_touched_) on_touched_();
  }
  void set_on_touched(std::function<void()> on_touched) { on_touched_ = std::move(on_touched); }

  // Milliseconds of a steady clock. Reading the clock costs, so the time stands still during a tick
  // and while a Standstill lives. Otherwise each call reads the clock: a loop that is embedded may
  // not have run for long.
  std::chrono::milliseconds now() const;
  class Standstill;

  // To be called in a forked child, which has copies of all descriptors. Closes those without
  // changing the epoll set that parent and child share. From then on the loop does nothing, and
  // objects that live on it, except timers, must never be destroyed.
  void disown();

  // To be used by the streams of this loop only.
  uv_loop_s* raw() { return loop_.get(); }
  std::span<char> read_buffer() { return {read_buffer_.get(), kReadBufferBytes}; }

 private:
  // With 64 KiB an upload costs a third more; with 256 KiB it costs hardly less.
  static constexpr std::size_t kReadBufferBytes = 128 * 1024;
  static constexpr int kMaxTicks = 8;  // of run_pending

  friend class Timer;

  void run(int mode);

  std::unique_ptr<uv_loop_s> loop_;
  std::unique_ptr<char[]> read_buffer_;
  std::vector<Timer*> due_timers_;  // of this tick
  std::function<void()> on_touched_;
  bool touched_ = true;
  bool standstill_ = false;
  bool disowned_ = false;
};

// While one lives, now() stands still. For short work that asks for the time often, but not for
// running applications.
class EventLoop::Standstill {
 public:
  explicit Standstill(EventLoop& loop) : loop_(loop), was_(loop.standstill_) {
    loop_.now();
    loop_.standstill_ = true;
  }
  ~Standstill() { loop_.standstill_ = was_; }
  Standstill(const Standstill&) = delete;
  Standstill& operator=(const Standstill&) = delete;

 private:
  EventLoop& loop_;
  const bool was_;
};

// A one-shot timer. It fires at the end of a tick, after everything that has arrived was read.
// Destroying it stops it.
class Timer {
 public:
  Timer(EventLoop& loop, std::function<void()> on_fire);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void start(std::chrono::milliseconds delay);  // replaces a running one
  void stop();

 private:
  friend class EventLoop;
  struct State;

  State* state_;  // freed by libuv's close callback
  EventLoop& loop_;
  std::function<void()> on_fire_;
};

}  // namespace cppasgi::net
