// A child process for what can't be tried in the test's own, such as its end. The test reads what
// the child writes to standard error.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "support/catch.h"

namespace cppasgi::test {

struct ChildOutcome {
  int status;  // of waitpid
  std::string output;
};

class ChildProcess {
 public:
  // Runs `body` in a child, which then ends with status 0.
  template <typename Body>
  explicit ChildProcess(Body&& body) {
    int pipe_ends[2];
    REQUIRE(pipe(pipe_ends) == 0);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(pipe_ends[1], STDERR_FILENO);
      close(pipe_ends[0]);
      close(pipe_ends[1]);
      std::forward<Body>(body)();
      _exit(0);
    }
    close(pipe_ends[1]);
    output_ = pipe_ends[0];
  }

  pid_t pid() const { return pid_; }

  // Waits for one byte, which isn't in the outcome's output.
  void wait_for_byte() {
    char byte = 0;
    CHECK(read(output_, &byte, 1) == 1);
  }

  // Waits for its end; to be called once.
  ChildOutcome end() {
    ChildOutcome outcome{};
    char buffer[256];
    for (ssize_t size; (size = read(output_, buffer, sizeof buffer)) > 0;)
      outcome.output.append(buffer, static_cast<std::size_t>(size));
    close(output_);
    waitpid(pid_, &outcome.status, 0);
    return outcome;
  }

 private:
  pid_t pid_ = -1;
  int output_ = -1;
};

}  // namespace cppasgi::test
