#include "server/process/last_words.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <poll.h>
#include <system_error>
#include <thread>

#include "server/process/unsignalled_thread.h"

namespace cppasgi {

namespace {

using std::chrono::milliseconds;

// The most time that the handler of the dump signal gets.
constexpr milliseconds kDumpTime{300};
// The time that it gets where nothing reports that it has finished.
constexpr milliseconds kBlindDumpTime{100};
// Milliseconds that the reader of standard error gets to make room, since stacks may be longer than
// a pipe holds.
constexpr int kReadTime = 1'000;

// A signal handler can reach only static variables.
std::atomic<bool> as_json{false};
std::atomic<unsigned> collected{0};  // stacks that were written
int stacks_fd = -1;
int wake_fd = -1;
struct sigaction former{};

bool has_reader(int timeout) {
  pollfd standard_error{STDERR_FILENO, POLLOUT, 0};
  return poll(&standard_error, 1, timeout) == 1 && (standard_error.revents & POLLOUT) != 0;
}

// Writes to standard error in one piece as long as there is room; nobody may be reading it any
// more.
void say(std::string_view text, int timeout) {
  const std::string lines = last_words(text);
  std::string_view left = lines;
  while (!left.empty() && has_reader(timeout)) {
    const ssize_t size = write(STDERR_FILENO, left.data(), left.size());
    if (size < 0 && errno != EINTR && errno != EAGAIN) return;
    if (size > 0) left.remove_prefix(static_cast<std::size_t>(size));
  }
}

void append_json(std::string& json, std::string_view text) {
  for (const char character : text) {
    if (character == '"' || character == '\\') {
      json.append({'\\', character});
    } else if (character == '\n') {
      json += "\\n";
    } else if (static_cast<unsigned char>(character) < 0x20) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", static_cast<unsigned>(character));
      json += escaped.data();
    } else {
      json += character;
    }
  }
}

// The time in UTC, in ISO 8601 with milliseconds.
std::string time_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 16> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03d+00:00",
                static_cast<int>(now.tv_nsec / 1'000'000));
  return std::string(text.data(), size) + fraction.data();
}

void on_stacks(int signum, siginfo_t* info, void* context) noexcept {
  const int error = errno;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wake_fd, &one, sizeof one);
  errno = error;
  if ((former.sa_flags & SA_SIGINFO) != 0) {
    former.sa_sigaction(signum, info, context);
  } else if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN) {
    former.sa_handler(signum);
  }
}

// The handler has written everything before it wakes this thread.
std::string take_stacks() {
  std::string stacks;
  std::array<char, 4096> part{};
  for (ssize_t size;
       (size = pread(stacks_fd, part.data(), part.size(), static_cast<off_t>(stacks.size()))) > 0;)
    stacks.append(part.data(), static_cast<std::size_t>(size));
  [[maybe_unused]] const auto emptied = ftruncate(stacks_fd, 0);
  lseek(stacks_fd, 0, SEEK_SET);
  while (!stacks.empty() && stacks.back() == '\n') stacks.pop_back();
  return stacks;
}

[[noreturn]] void write_stacks() {
  for (;;) {
    std::uint64_t count = 0;
    if (read(wake_fd, &count, sizeof count) < 0) continue;
    say("Process " + std::to_string(getpid()) + ", the stacks of its threads:\n" + take_stacks(),
        kReadTime);
    ++collected;
  }
}

}  // namespace

void write_last_words_as_json() { as_json = true; }

std::string last_words(std::string_view text) {
  if (!as_json) return std::string(text) + '\n';
  std::string json = R"({"time": ")" + time_now() +
                     R"(", "level": "ERROR", "logger": "cppasgi.process", "process": )" +
                     std::to_string(getpid()) + R"(, "message": ")";
  append_json(json, text);
  return json + "\"}\n";
}

int collect_stacks(int signum) {
  stacks_fd = memfd_create("cppasgi-stacks", MFD_CLOEXEC);
  if (stacks_fd < 0) throw std::system_error(errno, std::generic_category(), "memfd_create");
  wake_fd = eventfd(0, EFD_CLOEXEC);
  if (wake_fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  start_unsignalled_thread(&write_stacks);
  struct sigaction handler{};
  sigaction(signum, nullptr, &former);
  handler.sa_sigaction = &on_stacks;
  handler.sa_flags = SA_SIGINFO | (former.sa_flags & (SA_ONSTACK | SA_RESTART));
  sigaction(signum, &handler, nullptr);
  return stacks_fd;
}

void end_with_stacks(std::string_view text, pthread_t thread, int dump_signal, int status) {
  say(text, 0);
  struct sigaction handler{};
  if (dump_signal != 0 && sigaction(dump_signal, nullptr, &handler) == 0 &&
      handler.sa_handler != SIG_DFL && handler.sa_handler != SIG_IGN) {
    const unsigned before = collected;
    pthread_kill(thread, dump_signal);
    constexpr milliseconds kStep{10};
    const milliseconds most = stacks_fd < 0 ? kBlindDumpTime : kDumpTime;
    for (milliseconds waited{0}; waited < most && collected == before; waited += kStep)
      std::this_thread::sleep_for(kStep);
  }
  _exit(status);
}

}  // namespace cppasgi
