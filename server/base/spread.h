// Spreads what has to happen many times evenly over a while. It knows no clock and no timer: times
// are what its owner gives it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace cppasgi {

class Spread {
 public:
  // `count` times from `now` on, all within `window`; at once if that is 0.
  void begin(std::chrono::milliseconds now, std::chrono::milliseconds window, std::size_t count) {
    began_ = now;
    window_ = window;
    count_ = count;
    given_ = 0;
  }

  // How many more are due at `now`; each is told once. The first is due from the begin on.
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

  // When to ask again: often enough for the eye, but in few steps.
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
