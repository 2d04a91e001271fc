// Writes log lines to a descriptor of somebody else's without ever waiting for it: a disk may be
// full, and nobody may read the other end of a pipe. What can't be written now is kept, within a
// bound, and tried again; beyond it lines are left out and counted. A line that has begun is
// written to its end before another begins. One thread at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/base/output_buffer.h"

namespace cppasgi {

class LineWriter {
 public:
  static constexpr std::size_t kMostWaiting = 256 * 1024;  // bytes

  // `fd` stays the caller's; -1 if there will be no lines. The operator is told of lines that were
  // left out once in `tell_time` at most.
  explicit LineWriter(int fd, std::chrono::milliseconds tell_time = std::chrono::minutes(1));
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // Writes what waits, then `lines`, each with a newline at its end. They wait, or are left out,
  // together.
  void write(std::string_view lines);
  // Does something wait? Then flush() is due every now and then.
  bool waiting() const { return !waiting_.empty(); }
  void flush();
  // At the end: gives a reader `most` to make room, then leaves out what still waits.
  void finish(std::chrono::milliseconds most);
  // Forgets what waits.
  void discard() { waiting_.consume(waiting_.size()); }

  // How many lines were left out so far, and of how many take_untold() hasn't told yet.
  std::uint64_t dropped() const { return dropped_; }
  std::uint64_t untold() const { return dropped_ - told_; }
  // How many the operator is to hear of now: soon after lines can be written again, every minute
  // while they can't, and after finish(). 0 otherwise.
  std::uint64_t take_untold();
  // Why the latest write failed: an errno.
  int error() const { return error_; }

 private:
  std::size_t write_out(std::string_view bytes);
  std::string_view next_piece(std::string_view bytes) const;
  std::ptrdiff_t write_some(std::string_view bytes) const;

  const int fd_;
  const std::chrono::milliseconds tell_time_;
  int own_fd_ = -1;  // the same pipe, but non-blocking
  bool is_socket_ = false;
  bool is_pipe_ = false;  // or a terminal
  OutputBuffer waiting_;
  std::uint64_t dropped_ = 0;
  std::uint64_t told_ = 0;
  std::chrono::steady_clock::time_point next_telling_;
  std::chrono::steady_clock::time_point next_complaint_;  // the same while lines can't be written
  int error_ = 0;
};

}  // namespace cppasgi
