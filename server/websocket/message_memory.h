// The memory that the unfinished messages of all connections of a loop take together, and its
// bound: a peer that sends only parts of messages costs what they hold for as long as it likes
// (RFC 6455 section 10.4). Counts, allocates nothing. Loop thread only.
#pragma once

#include <cstddef>

namespace cppasgi::websocket {

class MessageMemory {
 public:
  explicit MessageMemory(std::size_t max_bytes) : max_bytes_(max_bytes) {}  // 0: unlimited
  MessageMemory(const MessageMemory&) = delete;
  MessageMemory& operator=(const MessageMemory&) = delete;

  std::size_t bytes() const { return bytes_; }

  // That of one connection.
  class Part {
   public:
    explicit Part(MessageMemory& memory) : memory_(memory) {}
    ~Part() { memory_.bytes_ -= bytes_; }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

    bool empty() const { return bytes_ == 0; }
    // Its message holds so much now. False when it grew and is too much for all together; one that
    // is alone may take any size.
    bool resize(std::size_t bytes) {
      const bool grows = bytes > bytes_;
      memory_.bytes_ -= bytes_;
      const std::size_t others = memory_.bytes_;
      memory_.bytes_ += bytes_ = bytes;
      return !grows || others == 0 || memory_.max_bytes_ == 0 ||
             memory_.bytes_ <= memory_.max_bytes_;
    }

   private:
    MessageMemory& memory_;
    std::size_t bytes_ = 0;
  };

 private:
  const std::size_t max_bytes_;
  std::size_t bytes_ = 0;
};

}  // namespace cppasgi::websocket
