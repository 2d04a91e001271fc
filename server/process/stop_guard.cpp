#include "server/process/stop_guard.h"

#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <poll.h>
#include <pthread.h>
#include <system_error>

#include "server/process/last_words.h"
#include "server/process/unsignalled_thread.h"

namespace cppasgi {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr nanoseconds kNever = nanoseconds::max();
// A SIGTERM that comes sooner than this after the first is a repeat of the same request.
constexpr milliseconds kRepeatTime{1'000};

// A signal handler can reach only static variables.
std::atomic<nanoseconds> deadline{kNever};  // on the clock of now()
std::atomic<nanoseconds> countdown{kNever};
std::atomic<int> dump_signal{0};
std::atomic<nanoseconds> requested{kNever};  // when the first SIGTERM or SIGINT came
std::atomic<bool> insisted{false};
std::atomic<pid_t> parent{0};                   // 0 before die_with_parent()
std::array<struct sigaction, NSIG> handlers{};  // those that were there before
pthread_t guarded_thread{};
int wake_fd = -1;  // of the guard's thread; -1 before there is one

static_assert(std::atomic<nanoseconds>::is_always_lock_free);

nanoseconds now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

// Returns the time `time` from now, or kNever if that is more than the clock can represent.
nanoseconds after(nanoseconds time) {
  const nanoseconds begun = now();
  return time > kNever - begun ? kNever : begun + time;
}

// milliseconds::max() is more than fits into nanoseconds.
nanoseconds limited(milliseconds time) {
  return std::min(time, std::chrono::floor<milliseconds>(kNever));
}

void wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wake_fd, &one, sizeof one);
}

[[noreturn]] void end_process() {
  end_with_stacks("cppasgi: not stopped in time, so the process ends now. What it was doing:",
                  guarded_thread, dump_signal, 1);
}

[[noreturn]] void watch() {
  for (;;) {
    const nanoseconds due = deadline;
    int timeout = -1;
    if (due != kNever) {
      const auto left = std::chrono::ceil<milliseconds>(due - now());
      if (left.count() <= 0) end_process();
      timeout = static_cast<int>(std::min(left, milliseconds(std::chrono::hours(1))).count());
    }
    pollfd waked{wake_fd, POLLIN, 0};
    if (poll(&waked, 1, timeout) != 1) continue;
    std::uint64_t count = 0;
    [[maybe_unused]] const auto size = read(wake_fd, &count, sizeof count);
  }
}

void start_thread() {
  wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  start_unsignalled_thread(&watch);
}

// Whether this signal is another request than the first, and insists.
bool insists(int signum, const siginfo_t& info) {
  nanoseconds first = kNever;
  const nanoseconds time = now();
  if (requested.compare_exchange_strong(first, time)) return false;
  const bool from_parent = parent != 0 && info.si_code <= 0 && info.si_pid == parent;
  return !from_parent && (signum == SIGINT || time - first >= kRepeatTime);
}

void on_signal(int signum, siginfo_t* info, void*) noexcept {
  const int error = errno;
  nanoseconds none = kNever;
  if (deadline.compare_exchange_strong(none, after(countdown))) wake();
  // SIGHUP asks a worker to make room for another worker; whoever stops it afterwards asks for the
  // first time.
  if (signum != SIGHUP && insists(signum, *info)) insisted = true;
  errno = error;
  handlers[static_cast<std::size_t>(signum)].sa_handler(signum);
}

void on_early_sigterm(int) noexcept { _exit(0); }

void on_late_sigterm(int signum, siginfo_t* info, void*) noexcept {
  if (requested.load() != kNever && !insists(signum, *info)) return;
  std::signal(signum, SIG_DFL);
  raise(signum);  // ends the process when this returns
}

}  // namespace

void end_at_sigterm() { std::signal(SIGTERM, &on_early_sigterm); }

void guard_stop(const std::vector<int>& signals, milliseconds grace, int signal_for_dump) {
  if (wake_fd < 0) start_thread();
  requested = kNever;
  insisted = false;
  guarded_thread = pthread_self();
  countdown = limited(grace);
  dump_signal = signal_for_dump;
  for (const int signum : signals) {
    struct sigaction handler{};
    if (sigaction(signum, nullptr, &handler) != 0)
      throw std::system_error(errno, std::generic_category(), "sigaction");
    // Our own handler is among those with SA_SIGINFO.
    if ((handler.sa_flags & SA_SIGINFO) != 0 || handler.sa_handler == SIG_DFL ||
        handler.sa_handler == SIG_IGN) {
      continue;
    }
    handlers.at(static_cast<std::size_t>(signum)) = handler;
    handler.sa_sigaction = &on_signal;
    handler.sa_flags |= SA_SIGINFO;
    sigaction(signum, &handler, nullptr);
  }
}

bool stop_insisted() { return insisted; }

void pass_over_repeats() {
  struct sigaction handler{};
  handler.sa_sigaction = &on_late_sigterm;
  handler.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGTERM, &handler, nullptr);
}

void end_process_in(milliseconds time) {
  if (wake_fd < 0) start_thread();
  deadline = after(limited(time));
  wake();
}

void keep_process() { deadline = kNever; }

void die_with_parent(int parent_pid, int signum) {
  parent = parent_pid;
  prctl(PR_SET_PDEATHSIG, signum);
  if (getppid() != parent_pid) raise(signum);
}

}  // namespace cppasgi
