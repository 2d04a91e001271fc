// The guard that ends a process: each case in a process of its own, which the test watches.
#include "server/process/stop_guard.h"

#include <unistd.h>

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
using std::chrono::steady_clock;

namespace {

struct Outcome : test::ChildOutcome {
  milliseconds time;  // from the signal to the end
};

volatile std::sig_atomic_t stopped = 0;

void on_stop(int) { stopped = 1; }

void on_dump(int) { [[maybe_unused]] const auto size = write(STDERR_FILENO, "dumped\n", 7); }

// Runs `body` in a child; sends it `signum`, unless that is 0, as soon as it has written a byte.
template <typename Body>
Outcome run(int signum, Body&& body) {
  test::ChildProcess child(std::forward<Body>(body));
  child.wait_for_byte();
  const auto begun = steady_clock::now();
  if (signum != 0) kill(child.pid(), signum);
  Outcome outcome{child.end(), {}};
  outcome.time = std::chrono::duration_cast<milliseconds>(steady_clock::now() - begun);
  return outcome;
}

void say_ready() { [[maybe_unused]] const auto size = write(STDERR_FILENO, "r", 1); }

void wait_for_stop() {
  while (stopped == 0) std::this_thread::sleep_for(milliseconds(1));
}

[[noreturn]] void be_stuck() {
  for (;;) pause();
}

}  // namespace

TEST_CASE("guard_stop: a signal starts the countdown, and its handler runs", "[process]") {
  const Outcome outcome = run(SIGTERM, [] {
    std::signal(SIGTERM, &on_stop);
    std::signal(SIGUSR2, &on_dump);
    guard_stop({SIGTERM}, milliseconds(200), SIGUSR2);
    say_ready();
    wait_for_stop();
    be_stuck();
  });
  CHECK(WIFEXITED(outcome.status));
  CHECK(WEXITSTATUS(outcome.status) == 1);
  CHECK(outcome.output.find("not stopped in time") != std::string::npos);
  CHECK(outcome.output.ends_with("dumped\n"));
  CHECK(outcome.time >= milliseconds(200));
  CHECK(outcome.time < milliseconds(3000));
}

TEST_CASE("guard_stop: a process that ends in time ends as it likes", "[process]") {
  const Outcome outcome = run(SIGTERM, [] {
    std::signal(SIGTERM, &on_stop);
    guard_stop({SIGTERM}, milliseconds(5000), 0);
    say_ready();
    wait_for_stop();
    _exit(7);
  });
  CHECK(WEXITSTATUS(outcome.status) == 7);
  CHECK(outcome.output.empty());
}

TEST_CASE("guard_stop: a countdown without end ends nothing", "[process]") {
  const Outcome outcome = run(SIGTERM, [] {
    std::signal(SIGTERM, &on_stop);
    guard_stop({SIGTERM}, milliseconds::max(), 0);
    say_ready();
    wait_for_stop();
    std::this_thread::sleep_for(milliseconds(200));
    end_process_in(milliseconds::max());
    std::this_thread::sleep_for(milliseconds(200));
    _exit(7);
  });
  CHECK(WEXITSTATUS(outcome.status) == 7);
  CHECK(outcome.output.empty());
}

TEST_CASE("guard_stop: signals without a handler keep what they do", "[process]") {
  const Outcome outcome = run(SIGTERM, [] {
    std::signal(SIGTERM, SIG_DFL);
    guard_stop({SIGTERM}, milliseconds(5000), 0);
    say_ready();
    be_stuck();
  });
  CHECK(WIFSIGNALED(outcome.status));
  CHECK(WTERMSIG(outcome.status) == SIGTERM);
}

TEST_CASE("stop_insisted: a SIGTERM a second after the first, or a later SIGINT", "[process]") {
  const int second = GENERATE(SIGTERM, SIGINT);
  const int waited = GENERATE(0, 1100);  // milliseconds
  const bool insists = second == SIGINT || waited > 0;
  CAPTURE(second, waited);
  const Outcome outcome = run(0, [&] {
    std::signal(SIGTERM, &on_stop);
    std::signal(SIGINT, &on_stop);
    guard_stop({SIGTERM, SIGINT}, milliseconds(5000), 0);
    say_ready();
    raise(SIGTERM);
    const bool after_first = stop_insisted();
    std::this_thread::sleep_for(milliseconds(waited));
    raise(second);
    _exit(after_first ? 2 : stop_insisted() ? 1 : 0);
  });
  CHECK(WEXITSTATUS(outcome.status) == (insists ? 1 : 0));
}

TEST_CASE("stop_insisted: SIGHUP is no request to stop, and the parent never insists",
          "[process]") {
  const Outcome outcome = run(SIGTERM, [] {
    std::signal(SIGTERM, &on_stop);
    std::signal(SIGHUP, &on_stop);
    guard_stop({SIGTERM, SIGHUP}, milliseconds(5000), 0);
    die_with_parent(getppid(), SIGTERM);
    raise(SIGHUP);
    stopped = 0;
    std::this_thread::sleep_for(milliseconds(1100));
    raise(SIGTERM);
    stopped = 0;
    std::this_thread::sleep_for(milliseconds(1100));
    say_ready();
    wait_for_stop();  // by the parent
    _exit(stop_insisted() ? 1 : 0);
  });
  CHECK(WEXITSTATUS(outcome.status) == 0);
}

TEST_CASE("pass_over_repeats: what insists ends the process, and so does a first SIGTERM",
          "[process]") {
  const bool asked = GENERATE(false, true);
  const Outcome outcome = run(0, [&] {
    std::signal(SIGTERM, &on_stop);
    guard_stop({SIGTERM}, milliseconds(5000), 0);
    if (asked) raise(SIGTERM);
    pass_over_repeats();
    say_ready();
    if (asked) {
      raise(SIGTERM);
      say_ready();
      std::this_thread::sleep_for(milliseconds(1100));
    }
    raise(SIGTERM);
    say_ready();
  });
  CHECK(WIFSIGNALED(outcome.status));
  CHECK(outcome.output == (asked ? "r" : ""));
}

TEST_CASE("end_at_sigterm: the end is at once and in order", "[process]") {
  const Outcome outcome = run(SIGTERM, [] {
    end_at_sigterm();
    say_ready();
    be_stuck();
  });
  CHECK(WIFEXITED(outcome.status));
  CHECK(WEXITSTATUS(outcome.status) == 0);
}

TEST_CASE("end_process_in: the latest deadline counts, and it can be taken back", "[process]") {
  const Outcome outcome = run(0, [] {
    std::signal(SIGUSR2, SIG_DFL);  // would end the process otherwise
    guard_stop({}, milliseconds(0), SIGUSR2);
    say_ready();
    end_process_in(milliseconds(100));
    keep_process();
    std::this_thread::sleep_for(milliseconds(300));
    end_process_in(milliseconds(10'000));
    end_process_in(milliseconds(100));
    be_stuck();
  });
  CHECK(WIFEXITED(outcome.status));
  CHECK(WEXITSTATUS(outcome.status) == 1);
  CHECK(outcome.time >= milliseconds(350));
}

TEST_CASE("die_with_parent: the signal comes at once when the parent is another", "[process]") {
  const Outcome outcome = run(0, [] {
    std::signal(SIGTERM, SIG_DFL);
    say_ready();
    die_with_parent(getppid() + 1, SIGTERM);
    be_stuck();
  });
  CHECK(WIFSIGNALED(outcome.status));
}
