#include "server/heap_trimmer.h"

#include <algorithm>

#include "server/base/heap.h"

namespace cppasgi {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kPause{2000};
// A process that works more than a fourth of the time is busy, and uses freed memory again.
constexpr int kBusyPart = 4;
// After so many looks at a busy process it is trimmed all the same: it may have needed more memory
// before than it needs now.
constexpr int kMostBusyLooks = 15;
// A heap that has grown by less than kLittle since the beginning isn't trimmed. A trim that freed
// less than kVain was in vain.
constexpr std::size_t kLittle = 16 * 1024 * 1024;
constexpr std::size_t kVain = 1024 * 1024;
// Trimming that frees little takes at most a two-hundredth of the time: for a heap of many small
// pieces it takes some ten milliseconds.
constexpr int kVainPart = 200;

// The CPU time of this thread. Elapsed time won't do: a thread that was interrupted for a moment
// would then trim nothing for half a minute.
std::chrono::nanoseconds thread_time() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

HeapTrimmer::HeapTrimmer(net::EventLoop& loop)
    : loop_(loop),
      timer_(loop, [this] { look(); }),
      waits_(!keeps_freed_memory()),
      pause_(kPause) {}

void HeapTrimmer::wait() {
  waits_ = true;
  began_ = loop_.now();
  worked_ = std::clock();
  timer_.start(pause_);
}

void HeapTrimmer::look() {
  const std::chrono::duration<double> worked(static_cast<double>(std::clock() - worked_) /
                                             CLOCKS_PER_SEC);
  const bool is_busy = worked * kBusyPart > loop_.now() - began_;
  if (is_busy && ++busy_looks_ < kMostBusyLooks) return wait();
  busy_looks_ = 0;
  waits_ = false;
  trim();
}

void HeapTrimmer::trim() {
  const std::size_t before = resident_bytes();
  if (before < least_ + kLittle && least_ != 0) {
    least_ = std::min(least_, before);
    return;
  }
  const std::chrono::nanoseconds begun = thread_time();
  give_back_freed_memory();
  const std::chrono::nanoseconds taken = thread_time() - begun;
  const std::size_t after = resident_bytes();
  least_ = least_ == 0 ? after : std::min(least_, after);
  const bool in_vain = after + kVain > before;
  pause_ = in_vain ? std::max(kPause, std::chrono::ceil<milliseconds>(kVainPart * taken)) : kPause;
}

}  // namespace cppasgi
