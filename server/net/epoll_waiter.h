// Waits on an epoll descriptor that somebody else owns and fills, as Python's selectors do; other
// threads can end a wait. One thread, but for wake().
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>

namespace cppasgi::net {

class EpollWaiter {
 public:
  struct Event {
    int fd;
    // An error or a hang-up is both, whether or not anybody waits for it.
    bool readable;
    bool writable;
  };

  // `epoll_fd` stays the caller's and outlives the waiter's waits. Throws std::system_error.
  explicit EpollWaiter(int epoll_fd);
  ~EpollWaiter();
  EpollWaiter(const EpollWaiter&) = delete;
  EpollWaiter& operator=(const EpollWaiter&) = delete;

  // Waits for `timeout` milliseconds at most, -1 for ever. Returns how many events there are, of
  // which a wake-up is none, or a negative errno (-EINTR: a signal came).
  int wait(int timeout);
  // Of the last wait; index below what it returned.
  Event event(int index) const;

  // Ends the wait that is under way, or else the next one. Any thread.
  void wake();

 private:
  static constexpr std::size_t kMaxEvents = 256;  // of one wait

  int epoll_fd_;
  int wake_fd_;
  std::array<epoll_event, kMaxEvents> events_{};
};

}  // namespace cppasgi::net
