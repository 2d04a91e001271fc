#include "server/process/last_words.h"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <poll.h>
#include <thread>

namespace cppasgi {

namespace {

// What the handler of the dump signal gets.
constexpr std::chrono::milliseconds kDumpTime{100};

// Nobody may be reading standard error any more.
void say(std::string_view line) {
  pollfd standard_error{STDERR_FILENO, POLLOUT, 0};
  if (poll(&standard_error, 1, 0) != 1) return;
  [[maybe_unused]] const auto written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void end_with_stacks(std::string_view line, pthread_t thread, int dump_signal, int status) {
  say(line);
  struct sigaction handler{};
  if (dump_signal != 0 && sigaction(dump_signal, nullptr, &handler) == 0 &&
      handler.sa_handler != SIG_DFL && handler.sa_handler != SIG_IGN) {
    pthread_kill(thread, dump_signal);
    std::this_thread::sleep_for(kDumpTime);
  }
  _exit(status);
}

}  // namespace cppasgi
