// What a process says that may not be able to log: each case in a process of its own.
#include "server/process/last_words.h"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <pthread.h>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "support/catch.h"
#include "support/child_process.h"

using namespace cppasgi;

namespace {

int stacks_fd = -1;

// As faulthandler, which has the handlers before it called when it has written.
void (*after_stacks)(int, siginfo_t*, void*) = nullptr;

void on_dump(int signum, siginfo_t* info, void* context) {
  constexpr std::string_view kStacks = "a \"stack\"\n  with two lines\n";
  [[maybe_unused]] const auto size = write(stacks_fd, kStacks.data(), kStacks.size());
  after_stacks(signum, info, context);
}

void collect() {
  stacks_fd = collect_stacks(SIGUSR2);
  struct sigaction handler{};
  sigaction(SIGUSR2, nullptr, &handler);
  after_stacks = handler.sa_sigaction;
  handler.sa_sigaction = &on_dump;
  sigaction(SIGUSR2, &handler, nullptr);
}

struct Outcome : test::ChildOutcome {
  std::string pid;
};

template <typename Body>
Outcome run(Body&& body) {
  test::ChildProcess child(std::forward<Body>(body));
  return {child.end(), std::to_string(child.pid())};
}

void wait_for_writing() { std::this_thread::sleep_for(std::chrono::milliseconds(500)); }

}  // namespace

TEST_CASE("last words: stacks come whole, each time anew, with the process id", "[process]") {
  const Outcome outcome = run([] {
    collect();
    raise(SIGUSR2);
    wait_for_writing();
    raise(SIGUSR2);
    wait_for_writing();
  });
  const std::string once =
      "Process " + outcome.pid + ", the stacks of its threads:\na \"stack\"\n  with two lines\n";
  CHECK(outcome.output == once + once);
}

TEST_CASE("last words: as JSON each text is a line", "[process]") {
  const Outcome outcome = run([] {
    write_last_words_as_json();
    collect();
    raise(SIGUSR2);
    wait_for_writing();
  });
  const std::string line = R"(", "level": "ERROR", "logger": "cppasgi.process", "process": )" +
                           outcome.pid + R"(, "message": "Process )" + outcome.pid +
                           R"(, the stacks of its threads:\na \"stack\"\n  with two lines"})" +
                           "\n";
  REQUIRE(outcome.output.size() > line.size());
  CHECK(outcome.output.substr(outcome.output.size() - line.size()) == line);
  CHECK(outcome.output.rfind(R"({"time": "20)", 0) == 0);
}

TEST_CASE("last words: an end waits for the stacks", "[process]") {
  const Outcome outcome = run([] {
    collect();
    const pthread_t self = pthread_self();
    std::thread([self] { end_with_stacks("the end:", self, SIGUSR2, 7); }).join();
  });
  CHECK(WEXITSTATUS(outcome.status) == 7);
  CHECK(outcome.output.rfind("the end:\nProcess ", 0) == 0);
  CHECK(outcome.output.find("with two lines\n") != std::string::npos);
}
