// Returns freed memory to the kernel when the next messages hardly need it: soon after the server
// was active, once the process is nearly idle, and from time to time if the process is always busy.
// Does nothing unless the process keeps freed memory (base/heap.h). Loop thread only.
#pragma once

#include <chrono>
#include <cstddef>
#include <ctime>

#include "server/net/event_loop.h"

namespace cppasgi {

class HeapTrimmer {
 public:
  explicit HeapTrimmer(net::EventLoop& loop);

  // Notes that the server does something, which may free memory. Cheap.
  void note_work() {
    if (!waits_) wait();
  }

 private:
  void wait();
  void look();
  void trim();

  net::EventLoop& loop_;
  net::Timer timer_;
  bool waits_;  // until look(), or for ever
  std::chrono::milliseconds began_{0};
  std::clock_t worked_ = 0;  // the process, when the wait began
  std::chrono::milliseconds pause_;
  int busy_looks_ = 0;     // in a row
  std::size_t least_ = 0;  // resident memory after the first time; less when there was less
};

}  // namespace cppasgi
