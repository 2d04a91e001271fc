// Bytes on their way out: appended at the end, consumed from the front. A protocol object fills
// one, a session drains it. Not a queue of blocks: responses and frames are small, and one
// contiguous run is one write. Used by the loop thread only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "server/base/release.h"

namespace cppasgi {

class OutputBuffer {
 public:
  // Appends a copy of `bytes`.
  void append(std::string_view bytes) { data_.append(bytes); }
  void append(char byte) { data_.push_back(byte); }

  // Grows by `size` bytes and returns where to write them; valid until the next append.
  char* extend(std::size_t size) {
    const std::size_t old_size = data_.size();
    data_.resize(old_size + size);
    return data_.data() + old_size;
  }

  std::size_t size() const { return data_.size() - begin_; }
  bool empty() const { return begin_ == data_.size(); }

  // The unconsumed bytes; valid until the next append, consume or take.
  std::string_view view() const { return std::string_view(data_).substr(begin_); }

  // Drops the first `size` bytes (at most size()). An emptied buffer keeps a small block for the
  // next response and returns a large one, so that an idle connection costs little.
  void consume(std::size_t size) {
    begin_ += size;
    if (begin_ != data_.size()) return;
    begin_ = 0;
    data_.clear();
    if (data_.capacity() > kKeptBytes) release(data_);
  }

  // Takes the unconsumed bytes out and leaves the buffer empty. In a block of just their size: they
  // may wait long, in thousands of connections.
  std::string take() {
    std::string taken(view());
    begin_ = 0;
    release(data_);
    return taken;
  }

 private:
  static constexpr std::size_t kKeptBytes = 2048;

  std::string data_;
  std::size_t begin_ = 0;
};

}  // namespace cppasgi
