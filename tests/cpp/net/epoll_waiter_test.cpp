// Waiting on somebody else's epoll descriptor.
#include "server/net/epoll_waiter.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <pthread.h>
#include <system_error>
#include <thread>

#include "support/catch.h"

using cppasgi::net::EpollWaiter;
using namespace std::chrono_literals;

namespace {

struct Epoll {
  Epoll() {
    REQUIRE(fd >= 0);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
  }
  ~Epoll() {
    for (const int each : {ends[0], ends[1], fd}) close(each);
  }
  Epoll(const Epoll&) = delete;
  Epoll& operator=(const Epoll&) = delete;

  void watch(std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = ends[0];
    REQUIRE(epoll_ctl(fd, EPOLL_CTL_ADD, ends[0], &event) == 0);
  }

  int fd = epoll_create1(EPOLL_CLOEXEC);
  std::array<int, 2> ends{};
};

}  // namespace

TEST_CASE("EpollWaiter: a waiter tells what each descriptor is ready for", "[net][epoll]") {
  Epoll epoll;
  EpollWaiter waiter(epoll.fd);
  CHECK(waiter.wait(0) == 0);
  epoll.watch(EPOLLIN | EPOLLOUT);
  REQUIRE(waiter.wait(0) == 1);
  CHECK(waiter.event(0).fd == epoll.ends[0]);
  CHECK_FALSE(waiter.event(0).readable);
  CHECK(waiter.event(0).writable);
  REQUIRE(send(epoll.ends[1], "x", 1, 0) == 1);
  REQUIRE(waiter.wait(-1) == 1);
  CHECK(waiter.event(0).readable);
}

TEST_CASE("EpollWaiter: a hang-up is an event of both directions", "[net][epoll]") {
  Epoll epoll;
  EpollWaiter waiter(epoll.fd);
  epoll.watch(EPOLLIN);
  shutdown(epoll.ends[0], SHUT_RDWR);
  REQUIRE(waiter.wait(0) == 1);
  CHECK(waiter.event(0).readable);
  CHECK(waiter.event(0).writable);
}

TEST_CASE("EpollWaiter: a wait ends at its time-out", "[net][epoll]") {
  Epoll epoll;
  EpollWaiter waiter(epoll.fd);
  const auto begun = std::chrono::steady_clock::now();
  CHECK(waiter.wait(20) == 0);
  CHECK(std::chrono::steady_clock::now() - begun >= 19ms);
}

TEST_CASE("EpollWaiter: another thread ends a wait, or the next one, and each time anew",
          "[net][epoll]") {
  Epoll epoll;
  EpollWaiter waiter(epoll.fd);
  waiter.wake();
  waiter.wake();
  CHECK(waiter.wait(-1) == 0);
  CHECK(waiter.wait(0) == 0);
  for (int i = 0; i < 3; ++i) {
    std::thread waker([&] {
      std::this_thread::sleep_for(5ms);
      waiter.wake();
    });
    CHECK(waiter.wait(-1) == 0);
    waker.join();
  }
}

TEST_CASE("EpollWaiter: a wake-up does not hide the events beside it", "[net][epoll]") {
  Epoll epoll;
  EpollWaiter waiter(epoll.fd);
  epoll.watch(EPOLLOUT);
  waiter.wake();
  REQUIRE(waiter.wait(-1) == 1);
  CHECK(waiter.event(0).fd == epoll.ends[0]);
}

TEST_CASE("EpollWaiter: a signal ends a wait", "[net][epoll]") {
  struct sigaction action{};
  struct sigaction before{};
  action.sa_handler = [](int) {};
  REQUIRE(sigaction(SIGUSR1, &action, &before) == 0);
  Epoll epoll;
  EpollWaiter waiter(epoll.fd);
  std::thread sender([self = pthread_self()] {
    std::this_thread::sleep_for(20ms);
    pthread_kill(self, SIGUSR1);
  });
  CHECK(waiter.wait(-1) == -EINTR);
  sender.join();
  sigaction(SIGUSR1, &before, nullptr);
}

TEST_CASE("EpollWaiter: a descriptor that is none is refused", "[net][epoll]") {
  CHECK_THROWS_AS(EpollWaiter(-1), std::system_error);
}
