// Waits on an epoll descriptor that belongs to somebody else, such as a selector of Python's. Other
// threads can end a wait. Used by one thread, except for wake().
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>

namespace cppasgi::net {

class EpollWaiter {
 public:
  struct Event {
    int fd;
    // Both are set for an error or a hang-up, whether or not anybody waits for them.
    bool readable;
    bool writable;
  };

  // `epoll_fd` stays the caller's and outlives the waiter's waits. Throws std::system_error.
  explicit EpollWaiter(int epoll_fd);
  ~EpollWaiter();
  EpollWaiter(const EpollWaiter&) = delete;
  EpollWaiter& operator=(const EpollWaiter&) = delete;

  // Waits up to `timeout` milliseconds, or without end for -1. Returns the number of events, not
  // counting wake-ups, or a negative errno (-EINTR after a signal).
  int wait(int timeout);
  // An event of the last wait(). Precondition: `index` is below what wait() returned.
  Event event(int index) const;

  // Ends the current wait(), or the next one if there is none. Any thread.
  void wake();

 private:
  static constexpr std::size_t kMaxEvents = 256;  // of one wait

  int epoll_fd_;
  int wake_fd_;
  std::array<epoll_event, kMaxEvents> events_{};
};

}  // namespace cppasgi::net
