// Spreads a number of equal actions evenly over a period. It has no clock and no timer; its owner
// passes the time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace cppasgi {

class Spread {
 public:
  // Begins a period of `window` at `now`, in which `count` actions are due. If `window` is 0, all
  // are due at once.
  void begin(std::chrono::milliseconds now, std::chrono::milliseconds window, std::size_t count) {
    began_ = now;
    window_ = window;
    count_ = count;
    given_ = 0;
  }

  // Returns how many actions have become due since the last call. The first is due at the begin.
  std::size_t take_due(std::chrono::milliseconds now) {
    const std::chrono::milliseconds over = now - began_;
    std::size_t due = count_;
    if (over < window_) {
      due = std::min(count_, 1 + count_ * static_cast<std::size_t>(over.count()) /
                                     static_cast<std::size_t>(window_.count()));
    }
    const std::size_t more = due - given_;
    given_ = due;
    return more;
  }

  bool is_over() const { return given_ == count_; }

  // How long to wait before the next take_due(): a fiftieth of the window, but not less than 10 ms.
  std::chrono::milliseconds step() const {
    constexpr int kMostSteps = 50;
    constexpr std::chrono::milliseconds kShortestStep{10};
    return std::max(window_ / kMostSteps, kShortestStep);
  }

 private:
  std::chrono::milliseconds began_{0};
  std::chrono::milliseconds window_{0};
  std::size_t count_ = 0;
  std::size_t given_ = 0;
};

}  // namespace cppasgi
