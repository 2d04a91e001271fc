// The messages of a WebSocket that the application hasn't taken yet, in order. Takes little memory
// while it is empty, as most of them are. Loop thread only.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "server/application.h"
#include "server/base/release.h"

namespace cppasgi::session {

class WebSocketInbox {
 public:
  void push(WebSocketMessage message) {
    if (begin_ > messages_.size() / 2) {  // never empty, else pop() had begun anew
      messages_.erase(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(begin_));
      begin_ = 0;
    }
    bytes_ += cost(message);
    messages_.push_back(std::move(message));
  }

  // Precondition: size() isn't 0.
  WebSocketMessage pop() {
    WebSocketMessage message = std::move(messages_[begin_++]);
    bytes_ -= cost(message);
    if (begin_ == messages_.size()) {
      begin_ = 0;
      if (messages_.capacity() > 1) release(messages_);
      messages_.clear();
    }
    return message;
  }

  std::size_t size() const { return messages_.size() - begin_; }
  std::size_t bytes() const { return bytes_; }  // that keeping them takes

 private:
  // Empty messages take memory too.
  static std::size_t cost(const WebSocketMessage& message) {
    return sizeof message + message.payload.size();
  }

  std::vector<WebSocketMessage> messages_;
  std::size_t begin_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace cppasgi::session
