// libuv's loop with what all streams of it share: one read buffer, and the note that it must run
// again. Runs by itself (run_once) or embedded in another loop (run_ready with backend_fd and
// next_due). One thread, the one that made it. The process must ignore SIGPIPE: writes of libuv
// raise it.
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
  // The same, and again while that started something new: libuv registers a handle that a callback
  // started only in the next tick.
  void run_pending();

  // Embedded in another loop: run_ready() is due when this descriptor is readable, at next_due() on
  // now()'s clock, and when touched().
  int backend_fd() const;
  std::optional<std::chrono::milliseconds> next_due() const;  // none: no timer is running
  // Something was started or closed since libuv last ran. The hook is called when that happens
  // first.
  bool touched() const { return touched_; }
  void touch() {
    if (touched_) return;
    touched_ = true;
    if (on_touched_) on_touched_();
  }
  void set_on_touched(std::function<void()> on_touched) { on_touched_ = std::move(on_touched); }

  // Milliseconds of a steady clock. Reading it costs, so it stands still while libuv dispatches a
  // tick and while there is a Standstill. Otherwise each call reads it: embedded in another
  // loop, libuv may not have run for long.
  std::chrono::milliseconds now() const;
  class Standstill;

  // In a forked child, which has copies of all descriptors: closes them, without a word to the
  // kernel about what parent and child share. From then on the loop does nothing, and what lives on
  // it, timers apart, must never be destroyed.
  void disown();

  // For the streams of this loop.
  uv_loop_s* raw() { return loop_.get(); }
  std::span<char> read_buffer() { return {read_buffer_.get(), kReadBufferBytes}; }

 private:
  // An upload in pieces of 64 KiB costs a third more, in pieces of 256 KiB hardly less.
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

// Has now() stand still for work that is short, and asks for it often. Not while applications run.
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

// A one-shot timer. It fires at the end of a tick, when what has arrived by then has been read.
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
