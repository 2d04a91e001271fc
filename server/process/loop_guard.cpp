#include "server/process/loop_guard.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <pthread.h>
#include <string>
#include <system_error>
#include <utility>

#include "server/process/last_words.h"
#include "server/process/unsignalled_thread.h"

namespace cppasgi {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

namespace {

// milliseconds::max() is more than fits into nanoseconds.
nanoseconds limited(milliseconds time) {
  return std::min(time, std::chrono::floor<milliseconds>(nanoseconds::max()));
}

}  // namespace

struct LoopGuard::State {
  nanoseconds limit;
  milliseconds period;
  int dump_signal;
  int status;
  OnSilence on_silence;
  pthread_t loop_thread = pthread_self();
  int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::atomic<std::uint64_t> beats{0};
  std::atomic<bool> stopped{false};

  ~State() { close(wake_fd); }

  void watch() const;
  [[noreturn]] void end_process(nanoseconds silence) const;
};

void LoopGuard::State::watch() const {
  std::uint64_t seen = beats;
  nanoseconds silence{0};
  steady_clock::time_point now = steady_clock::now();
  for (;;) {
    pollfd waked{wake_fd, POLLIN, 0};
    poll(&waked, 1, static_cast<int>(period.count()));
    if (stopped) return;
    const steady_clock::time_point before = std::exchange(now, steady_clock::now());
    const std::uint64_t heard = beats;
    if (std::exchange(seen, heard) != heard) {
      silence = nanoseconds{0};
    } else {
      silence += std::min<nanoseconds>(now - before, 2 * period);
    }
    if (on_silence) on_silence(silence);
    if (silence >= limit && !stopped) end_process(silence);
  }
}

void LoopGuard::State::end_process(nanoseconds silence) const {
  const std::string seconds =
      std::to_string(std::chrono::round<std::chrono::seconds>(silence).count());
  end_with_stacks("cppasgi: process " + std::to_string(getpid()) +
                      " is stuck: its event loop has not run for " + seconds +
                      " s, so it ends now. What it was doing:",
                  loop_thread, dump_signal, status);
}

LoopGuard::LoopGuard(milliseconds limit, milliseconds period, int dump_signal, int status,
                     OnSilence on_silence)
    : state_(new State{limited(limit), period, dump_signal, status, std::move(on_silence)}) {
  if (state_->wake_fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  start_unsignalled_thread([state = state_] { state->watch(); });
}

LoopGuard::~LoopGuard() { stop(); }

void LoopGuard::beat() { state_->beats.fetch_add(1, std::memory_order_relaxed); }

void LoopGuard::stop() {
  state_->stopped = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(state_->wake_fd, &one, sizeof one);
}

}  // namespace cppasgi
