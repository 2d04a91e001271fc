#include "server/net/event_loop.h"

#include <unistd.h>

#include <cstdint>
#include <utility>

#include <uv.h>

#include "server/net/uv_error.h"

namespace cppasgi::net {

EventLoop::EventLoop()
    : loop_(std::make_unique<uv_loop_s>()),
      read_buffer_(std::make_unique_for_overwrite<char[]>(kReadBufferBytes)) {
  check_start(uv_loop_init(loop_.get()), "uv_loop_init");
}

EventLoop::~EventLoop() {
  if (disowned_) {
    [[maybe_unused]] const uv_loop_s* leaked = loop_.release();
    return;
  }
  uv_run(loop_.get(), UV_RUN_NOWAIT);
  while (uv_loop_close(loop_.get()) == UV_EBUSY) uv_run(loop_.get(), UV_RUN_NOWAIT);
}

void EventLoop::run_once() { run(UV_RUN_ONCE); }

void EventLoop::run_ready() { run(UV_RUN_NOWAIT); }

// libuv reads the clock at the beginning of a run and after it has waited.
void EventLoop::run(int mode) {
  touched_ = false;
  if (disowned_) return;
  standstill_ = true;
  uv_run(loop_.get(), static_cast<uv_run_mode>(mode));
  while (!due_timers_.empty()) {
    Timer* timer = due_timers_.front();
    due_timers_.erase(due_timers_.begin());
    timer->on_fire_();
  }
  standstill_ = false;
}

void EventLoop::run_pending() {
  for (int i = 0; i < kMaxTicks; ++i) {
    run_ready();
    if (!touched_) return;
  }
}

void EventLoop::disown() {
  const auto close_copy = [](uv_handle_t* handle, void*) {
    uv_os_fd_t fd = -1;
    // The descriptor of a poll handle belongs to another handle.
    if (handle->type != UV_POLL && uv_fileno(handle, &fd) == 0) ::close(fd);
  };
  uv_walk(loop_.get(), close_copy, nullptr);
  ::close(backend_fd());
  on_touched_ = {};
  disowned_ = true;
}

int EventLoop::backend_fd() const { return uv_backend_fd(loop_.get()); }

std::optional<std::chrono::milliseconds> EventLoop::next_due() const {
  if (uv_loop_alive(loop_.get()) == 0)
    return std::nullopt;                                // libuv would say 0, for uv_run to return
  const int timeout = uv_backend_timeout(loop_.get());  // from its own time on
  if (timeout < 0) return std::nullopt;
  return std::chrono::milliseconds(uv_now(loop_.get())) + std::chrono::milliseconds(timeout);
}

std::chrono::milliseconds EventLoop::now() const {
  if (!standstill_) uv_update_time(loop_.get());
  return std::chrono::milliseconds(uv_now(loop_.get()));
}

struct Timer::State {
  uv_timer_t handle{};
  Timer* timer = nullptr;

  static State& of(void* handle) {
    return *static_cast<State*>(static_cast<uv_handle_t*>(handle)->data);
  }
  static void on_timer(uv_timer_t* handle) noexcept;
  static void on_closed(uv_handle_t* handle) noexcept;
};

Timer::Timer(EventLoop& loop, std::function<void()> on_fire)
    : state_(new State), loop_(loop), on_fire_(std::move(on_fire)) {
  uv_timer_init(loop.raw(), &state_->handle);
  state_->timer = this;
  state_->handle.data = state_;
}

Timer::~Timer() {
  stop();
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->handle), &State::on_closed);
  loop_.touch();
}

void Timer::start(std::chrono::milliseconds delay) {
  stop();
  loop_.now();  // libuv counts from the time that it knows
  uv_timer_start(&state_->handle, &State::on_timer, static_cast<std::uint64_t>(delay.count()), 0);
  loop_.touch();
}

void Timer::stop() {
  uv_timer_stop(&state_->handle);
  std::erase(loop_.due_timers_, this);
}

void Timer::State::on_timer(uv_timer_t* handle) noexcept {
  Timer* timer = of(handle).timer;
  timer->loop_.due_timers_.push_back(timer);
  uv_stop(timer->loop_.raw());  // it must not wait for the next event now
}

void Timer::State::on_closed(uv_handle_t* handle) noexcept { delete &of(handle); }

}  // namespace cppasgi::net
