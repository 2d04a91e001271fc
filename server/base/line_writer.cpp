#include "server/base/line_writer.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <poll.h>
#include <string>

namespace cppasgi {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

std::uint64_t count_lines(std::string_view lines) {
  return static_cast<std::uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
}

// Waits up to `timeout` milliseconds for `fd` to take bytes.
bool has_room(int fd, int timeout) {
  pollfd room{fd, POLLOUT, 0};
  return poll(&room, 1, timeout) == 1;
}

}  // namespace

LineWriter::LineWriter(int fd, milliseconds tell_time) : fd_(fd), tell_time_(tell_time) {
  struct stat file{};
  if (fd < 0 || fstat(fd, &file) != 0) return;
  is_socket_ = S_ISSOCK(file.st_mode);
  is_pipe_ = S_ISFIFO(file.st_mode) || S_ISCHR(file.st_mode);
  if (!is_pipe_ || (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0) return;
  // Setting O_NONBLOCK would affect every process that has inherited this descriptor, and they may
  // rely on blocking, so the pipe is opened once more. That fails if the pipe belongs to another
  // user.
  const std::string name = "/proc/self/fd/" + std::to_string(fd);
  own_fd_ = open(name.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

LineWriter::~LineWriter() {
  if (own_fd_ >= 0) close(own_fd_);
}

void LineWriter::write(std::string_view lines) {
  flush();
  if (!waiting()) lines.remove_prefix(write_out(lines));
  if (waiting() && waiting_.size() + lines.size() > kMostWaiting) {
    if (untold() == 0) next_complaint_ = steady_clock::now() + tell_time_;
    dropped_ += count_lines(lines);
  } else {
    waiting_.append(lines);
  }
}

void LineWriter::flush() {
  if (waiting()) waiting_.consume(write_out(waiting_.view()));
}

void LineWriter::finish(milliseconds most) {
  const auto end = steady_clock::now() + most;
  for (flush(); waiting() && error_ == EAGAIN; flush()) {
    const auto left = std::chrono::ceil<milliseconds>(end - steady_clock::now());
    if (left.count() <= 0 || !has_room(fd_, static_cast<int>(left.count()))) break;
  }
  dropped_ += count_lines(waiting_.view());
  discard();
  next_telling_ = {};
}

std::uint64_t LineWriter::take_untold() {
  const std::uint64_t lines = untold();
  const auto now = steady_clock::now();
  if (lines == 0 || now < (waiting() ? next_complaint_ : next_telling_)) return 0;
  next_telling_ = next_complaint_ = now + tell_time_;
  told_ = dropped_;
  return lines;
}

// Returns how many bytes were written.
std::size_t LineWriter::write_out(std::string_view bytes) {
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const std::ptrdiff_t size = write_some(next_piece(rest));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) {
      error_ = errno;
      break;
    }
    rest.remove_prefix(static_cast<std::size_t>(size));
  }
  return bytes.size() - rest.size();
}

// The kernel writes up to PIPE_BUF bytes to a pipe at once or not at all. Pieces of that size keep
// lines of several processes apart.
std::string_view LineWriter::next_piece(std::string_view bytes) const {
  if (!is_pipe_ || bytes.size() <= PIPE_BUF) return bytes;
  const std::size_t end = bytes.rfind('\n', PIPE_BUF - 1);
  return bytes.substr(0, end == std::string_view::npos ? PIPE_BUF : end + 1);
}

std::ptrdiff_t LineWriter::write_some(std::string_view bytes) const {
  if (is_socket_) return send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (is_pipe_ && own_fd_ < 0 && !has_room(fd_, 0)) {
    errno = EAGAIN;
    return -1;
  }
  return ::write(own_fd_ >= 0 ? own_fd_ : fd_, bytes.data(), bytes.size());
}

}  // namespace cppasgi
