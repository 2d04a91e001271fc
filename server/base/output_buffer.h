// Bytes to be sent: appended at the end, consumed from the front. A protocol object fills the
// buffer, and the connection writes it. It is one contiguous block, since responses and frames are
// small and one block is one write. It isn't a std::string because that one's append() isn't
// inlined and its resize() writes zeros. Used by the loop thread only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace cppasgi {

class OutputBuffer {
 public:
  OutputBuffer() = default;
  OutputBuffer(const OutputBuffer&) = delete;
  OutputBuffer& operator=(const OutputBuffer&) = delete;

  // Appends a copy of `bytes`.
  void append(std::string_view bytes) {
    if (!bytes.empty()) std::memcpy(extend(bytes.size()), bytes.data(), bytes.size());
  }
  void append(char byte) { *extend(1) = byte; }

  // Grows by `size` bytes and returns where to write them; valid until the next append.
  char* extend(std::size_t size) {
    reserve(size);
    char* room = data_.get() + end_;
    end_ += size;
    return room;
  }

  // Makes room for `size` bytes more.
  void reserve(std::size_t size) {
    if (capacity_ - end_ < size) grow(size);
  }

  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }

  // The unconsumed bytes; valid until the next append, consume or take.
  std::string_view view() const { return {data_.get() + begin_, size()}; }

  // Drops the first `size` bytes (at most size()). An emptied buffer keeps a small block for the
  // next response and returns a large one, so that an idle connection costs little.
  void consume(std::size_t size) {
    begin_ += size;
    if (begin_ != end_) return;
    begin_ = end_ = 0;
    if (capacity_ > kKeptBytes) free_memory();
  }

  void swap(OutputBuffer& other) {
    std::swap(data_, other.data_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    std::swap(capacity_, other.capacity_);
  }

  // Moves the unconsumed bytes out and leaves the buffer empty. The result has just their size,
  // since it may wait long in thousands of connections.
  std::string take() {
    std::string taken(view());
    free_memory();
    return taken;
  }

 private:
  static constexpr std::size_t kKeptBytes = 2048;

  // At least doubles the size of the unconsumed bytes, so that appending takes linear time.
  void grow(std::size_t more) {
    const std::size_t kept = size();
    const std::size_t capacity = std::max(2 * kept, kept + more);
    auto larger = std::make_unique_for_overwrite<char[]>(capacity);
    if (kept != 0) std::memcpy(larger.get(), data_.get() + begin_, kept);
    data_ = std::move(larger);
    capacity_ = capacity;
    begin_ = 0;
    end_ = kept;
  }

  void free_memory() {
    data_.reset();
    begin_ = end_ = capacity_ = 0;
  }

  std::unique_ptr<char[]> data_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace cppasgi
