// The guard that ends a process whose loop is stuck: each case in a process of its own.
#include "server/process/loop_guard.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <poll.h>
#include <string>
#include <thread>
#include <utility>

#include "support/catch.h"
#include "support/child_process.h"

using namespace cppasgi;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

namespace {

constexpr milliseconds kPeriod{20};
constexpr int kStatus = 4;

void on_dump(int) { [[maybe_unused]] const auto size = write(STDERR_FILENO, "dumped\n", 7); }

using Outcome = test::ChildOutcome;

// Runs `body` in a child, which the test may stop for a while as soon as it has written a byte.
template <typename Body>
Outcome run(Body&& body, milliseconds stopped = milliseconds(0)) {
  test::ChildProcess child(std::forward<Body>(body));
  child.wait_for_byte();
  if (stopped.count() != 0) {
    kill(child.pid(), SIGSTOP);
    std::this_thread::sleep_for(stopped);
    kill(child.pid(), SIGCONT);
  }
  return child.end();
}

void say_ready() { [[maybe_unused]] const auto size = write(STDERR_FILENO, "r", 1); }

void beat_for(LoopGuard& guard, milliseconds time) {
  for (milliseconds gone{0}; gone < time; gone += kPeriod / 2) {
    guard.beat();
    std::this_thread::sleep_for(kPeriod / 2);
  }
}

}  // namespace

TEST_CASE("LoopGuard: a loop without a sign of life ends the process, with its stacks",
          "[process]") {
  const Outcome outcome = run([] {
    std::signal(SIGUSR2, &on_dump);
    LoopGuard guard(milliseconds(300), kPeriod, SIGUSR2, kStatus, {});
    say_ready();
    for (;;) pause();
  });
  CHECK(WEXITSTATUS(outcome.status) == kStatus);
  CHECK(outcome.output.find("is stuck: its event loop has not run") != std::string::npos);
  CHECK(outcome.output.find("dumped") != std::string::npos);
}

TEST_CASE("LoopGuard: signs of life keep it, and so does no limit", "[process]") {
  const Outcome outcome = run([] {
    LoopGuard forever(milliseconds::max(), kPeriod, 0, kStatus, {});
    LoopGuard guard(milliseconds(400), kPeriod, 0, kStatus, {});
    say_ready();
    beat_for(guard, milliseconds(1000));
  });
  CHECK(outcome.status == 0);
}

TEST_CASE("LoopGuard: once stopped it does nothing", "[process]") {
  const Outcome outcome = run([] {
    LoopGuard guard(milliseconds(200), kPeriod, 0, kStatus, {});
    say_ready();
    guard.stop();
    std::this_thread::sleep_for(milliseconds(600));
  });
  CHECK(outcome.status == 0);
}

TEST_CASE("LoopGuard: time in which the process is stopped doesn't count", "[process]") {
  const auto body = [] {
    std::atomic<nanoseconds> most{nanoseconds{0}};
    LoopGuard guard(milliseconds(1000), kPeriod, 0, kStatus, [&most](nanoseconds silence) {
      if (silence > most.load()) most = silence;
    });
    say_ready();
    beat_for(guard, milliseconds(500));
    _exit(most.load() < milliseconds(900) ? 0 : 1);
  };
  CHECK(run(body, milliseconds(1500)).status == 0);
}

TEST_CASE("LoopGuard: tells of the silence, and of its end", "[process]") {
  std::atomic<nanoseconds> latest{nanoseconds{-1}};
  LoopGuard guard(milliseconds::max(), kPeriod, 0, kStatus,
                  [&latest](nanoseconds silence) { latest = silence; });
  while (latest.load() < 5 * kPeriod) std::this_thread::sleep_for(milliseconds(1));
  while (latest.load() != nanoseconds{0}) {
    guard.beat();
    std::this_thread::sleep_for(milliseconds(1));
  }
  CHECK(latest.load() == nanoseconds{0});
  guard.stop();
  std::this_thread::sleep_for(2 * kPeriod);  // `latest` is the guard's no longer
}
