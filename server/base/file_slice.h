// A part of a regular file on its way out: a descriptor of its own and the bytes still to send. It
// reads nothing itself; streams do (net/stream.h). Used by the loop thread only.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace cppasgi {

class FileSlice {
 public:
  FileSlice() = default;
  FileSlice(FileSlice&& other) noexcept { swap(other); }
  FileSlice& operator=(FileSlice&& other) noexcept {
    FileSlice(std::move(other)).swap(*this);
    return *this;
  }
  ~FileSlice() {
    if (fd_ >= 0) close(fd_);
  }

  // Opens the file at `path` and selects all of it. If that fails, or the file isn't a regular one,
  // the result isn't open and errno says why.
  static FileSlice open(const char* path) {
    // Without O_NONBLOCK, opening a FIFO would wait for its other end.
    return FileSlice(::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)).checked();
  }
  // Like open(), for a file that is open already. Duplicates `fd`, which stays the caller's.
  static FileSlice copy_of(int fd) { return FileSlice(fcntl(fd, F_DUPFD_CLOEXEC, 0)).checked(); }

  // Selects `count` bytes from `offset` on, or as many of them as the file has.
  void select(std::uint64_t offset, std::uint64_t count) {
    offset_ = std::min(offset, size_);
    size_ = std::min(count, size_ - offset_);
  }
  void advance(std::uint64_t size) {
    offset_ += size;
    size_ -= size;
  }

  // The file's position for read(2), which all duplicates of the descriptor share.
  std::uint64_t position() const {
    return static_cast<std::uint64_t>(std::max<off_t>(lseek(fd_, 0, SEEK_CUR), 0));
  }
  void set_position(std::uint64_t position) const {
    lseek(fd_, static_cast<off_t>(position), SEEK_SET);
  }

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  std::uint64_t offset() const { return offset_; }
  std::uint64_t size() const { return size_; }

 private:
  explicit FileSlice(int fd) : fd_(fd) {}

  FileSlice checked() && {
    struct stat status{};
    if (fd_ < 0 || fstat(fd_, &status) != 0) return {};
    if (!S_ISREG(status.st_mode) || (fcntl(fd_, F_GETFL) & O_ACCMODE) == O_WRONLY) {
      errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
      return {};
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
    return std::move(*this);
  }

  void swap(FileSlice& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(offset_, other.offset_);
    std::swap(size_, other.size_);
  }

  int fd_ = -1;
  std::uint64_t offset_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace cppasgi
