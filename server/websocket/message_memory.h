// Counts the memory that the unfinished messages of all connections take together, and limits it: a
// peer that sends only parts of messages could otherwise occupy memory for as long as it likes (RFC
// 6455 section 10.4). It allocates nothing. Loop thread only.
#pragma once

#include <cstddef>

namespace cppasgi::websocket {

class MessageMemory {
 public:
  explicit MessageMemory(std::size_t max_bytes) : max_bytes_(max_bytes) {}  // 0: unlimited
  MessageMemory(const MessageMemory&) = delete;
  MessageMemory& operator=(const MessageMemory&) = delete;

  std::size_t bytes() const { return bytes_; }

  // The part of one connection.
  class Part {
   public:
    explicit Part(MessageMemory& memory) : memory_(memory) {}
    ~Part() { memory_.bytes_ -= bytes_; }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

    bool empty() const { return bytes_ == 0; }
    // Sets how much the connection's unfinished message takes. Returns false if it has grown and
    // all together are above the limit, unless it is the only one.
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
