#include "server/net/epoll_waiter.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>

namespace cppasgi::net {

EpollWaiter::EpollWaiter(int epoll_fd)
    : epoll_fd_(epoll_fd), wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;  // once for each write, so that nobody needs to read
  event.data.fd = wake_fd_;
  if (wake_fd_ >= 0 && epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &event) == 0) return;
  const int error = errno;
  if (wake_fd_ >= 0) close(wake_fd_);
  throw std::system_error(error, std::generic_category(), "epoll");
}

EpollWaiter::~EpollWaiter() { close(wake_fd_); }

int EpollWaiter::wait(int timeout) {
  const int count =
      epoll_wait(epoll_fd_, events_.data(), static_cast<int>(events_.size()), timeout);
  if (count < 0) return -errno;
  const auto end =
      std::remove_if(events_.begin(), events_.begin() + count,
                     [this](const epoll_event& event) { return event.data.fd == wake_fd_; });
  return static_cast<int>(end - events_.begin());
}

EpollWaiter::Event EpollWaiter::event(int index) const {
  const epoll_event& event = events_[static_cast<std::size_t>(index)];
  return {event.data.fd, (event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0,
          (event.events & ~static_cast<std::uint32_t>(EPOLLIN)) != 0};
}

void EpollWaiter::wake() { eventfd_write(wake_fd_, 1); }

}  // namespace cppasgi::net
