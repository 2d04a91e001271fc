// Writes log lines to a descriptor without ever waiting for it: the disk may be full, or nobody may
// read the other end of the pipe. Lines that can't be written now are kept and written later, up to
// kMostWaiting bytes; lines beyond that are left out and counted. A line is never interrupted by
// another. One thread at a time.
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

  // `fd` stays the caller's; -1 if there will be no lines. take_untold() reports lines that were
  // left out at most once in `tell_time`.
  explicit LineWriter(int fd, std::chrono::milliseconds tell_time = std::chrono::minutes(1));
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // Writes the waiting lines, then `lines`, each of which ends with a newline. `lines` wait, or are
  // left out, together.
  void write(std::string_view lines);
  // Whether lines wait: flush() is to be called from time to time then.
  bool waiting() const { return !waiting_.empty(); }
  void flush();
  // To be called at the end: waits up to `most` for the descriptor to take the waiting lines, then
  // leaves out the rest.
  void finish(std::chrono::milliseconds most);
  // Forgets the waiting lines without counting them.
  void discard() { waiting_.consume(waiting_.size()); }

  // How many lines were left out so far, and how many of them take_untold() hasn't reported yet.
  std::uint64_t dropped() const { return dropped_; }
  std::uint64_t untold() const { return dropped_ - told_; }
  // How many lines that were left out should be reported to the operator now. That is so soon after
  // lines can be written again, every `tell_time` while they can't, and after finish(); otherwise
  // 0.
  std::uint64_t take_untold();
  // The errno of the latest write that failed.
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
