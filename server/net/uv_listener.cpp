#include "server/net/uv_listener.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

#include <uv.h>

#include "server/net/event_loop.h"
#include "server/net/uv_address.h"
#include "server/net/uv_error.h"
#include "server/net/uv_stream.h"

namespace cppasgi::net {

// libuv binds the socket; connections are accepted here, when a poll handle says so. uv_listen()
// isn't used because libuv silently closes waiting connections when no descriptor is free.
struct UvListener::State {
  union {
    uv_handle_t handle;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };
  uv_poll_t poll;
  int handles = 1;  // of libuv that are open: the poll handle is there from listen() on
  EventLoop* loop = nullptr;
  std::shared_ptr<const Address> local;  // of every connection; null when each has its own
  OnAccept on_accept;                    // null once the UvListener is gone, or before listen()
  OnShortage on_shortage;
  bool is_short = false;         // the latest try to accept failed
  std::unique_ptr<Timer> retry;  // once that was so
};

namespace {

// How long to wait before accepting again when no descriptor is free. Nothing reports when one
// becomes free, as any code may close a file.
constexpr std::chrono::milliseconds kRetryTime{100};
// How many connections are accepted in a row. In between, the loop serves those that it has, and
// closes those that have ended.
constexpr std::size_t kMostInTurn = 64;

void accept_up_to(UvListener::State& state, std::size_t most);
void watch(UvListener::State& state);
void on_readable(uv_poll_t* poll, int status, int events) noexcept;
void on_closed(uv_handle_t* handle) noexcept;

int fd_of(const UvListener::State& state) {
  uv_os_fd_t fd = -1;
  uv_fileno(&state.handle, &fd);
  return fd;
}

UvListener::State* make_state(EventLoop& loop, Address::Family family) {
  auto* state = new UvListener::State;
  state->loop = &loop;
  if (family == Address::Family::Tcp) {
    uv_tcp_init(loop.raw(), &state->tcp);
  } else {
    uv_pipe_init(loop.raw(), &state->pipe, 0);
  }
  state->handle.data = state;
  return state;
}

sockaddr_storage resolve(EventLoop& loop, const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  uv_getaddrinfo_t request;
  const std::string service = std::to_string(port);
  check_start(uv_getaddrinfo(loop.raw(), &request, nullptr, host.c_str(), service.c_str(), &hints),
              "resolve");
  sockaddr_storage storage{};
  const addrinfo* first = request.addrinfo;
  std::copy_n(reinterpret_cast<const char*>(first->ai_addr), first->ai_addrlen,
              reinterpret_cast<char*>(&storage));
  uv_freeaddrinfo(request.addrinfo);
  return storage;
}

}  // namespace

std::unique_ptr<UvListener> UvListener::bind_tcp(EventLoop& loop, const std::string& host,
                                                 std::uint16_t port) {
  const sockaddr_storage address = resolve(loop, host, port);
  std::unique_ptr<UvListener> listener(new UvListener(make_state(loop, Address::Family::Tcp)));
  uv_tcp_t* tcp = &listener->state_->tcp;
  check_start(uv_tcp_bind(tcp, reinterpret_cast<const sockaddr*>(&address), 0), "bind");
  // Accepted sockets inherit this option, which saves a system call for each connection.
  check_start(uv_tcp_nodelay(tcp, 1), "nodelay");
  // libuv reports a failed bind only in the next call.
  sockaddr_storage bound{};
  int size = sizeof bound;
  check_start(uv_tcp_getsockname(tcp, reinterpret_cast<sockaddr*>(&bound), &size), "bind");
  return listener;
}

std::unique_ptr<UvListener> UvListener::bind_unix(EventLoop& loop, const std::string& path) {
  // libuv would bind the beginning of a path that is too long.
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    throw std::system_error(ENAMETOOLONG, std::generic_category(), "bind");
  }
  std::unique_ptr<UvListener> listener(new UvListener(make_state(loop, Address::Family::Unix)));
  check_start(uv_pipe_bind(&listener->state_->pipe, path.c_str()), "bind");
  return listener;
}

std::unique_ptr<UvListener> UvListener::adopt(EventLoop& loop, int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  sockaddr_storage address{};
  socklen_t address_size = sizeof address;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &address_size) != 0) {
    throw std::system_error(errno, std::generic_category(), "adopt");
  }
  if (type != SOCK_STREAM) throw std::system_error(EPROTOTYPE, std::generic_category(), "adopt");
  const bool is_unix = address.ss_family == AF_UNIX;
  std::unique_ptr<UvListener> listener(
      new UvListener(make_state(loop, is_unix ? Address::Family::Unix : Address::Family::Tcp)));
  check_start(
      is_unix ? uv_pipe_open(&listener->state_->pipe, fd) : uv_tcp_open(&listener->state_->tcp, fd),
      "adopt");
  if (!is_unix) uv_tcp_nodelay(&listener->state_->tcp, 1);
  return listener;
}

UvListener::~UvListener() {
  state_->on_accept = nullptr;
  state_->retry.reset();
  state_->loop->touch();
  // The poll handle is closed before the socket, which closes the descriptor.
  if (state_->handles == 2) uv_close(reinterpret_cast<uv_handle_t*>(&state_->poll), &on_closed);
  uv_close(&state_->handle, &on_closed);
}

Address UvListener::address() const { return local_address(state_->handle); }

namespace {

bool is_wildcard(const Address& address) {
  return address.family == Address::Family::Tcp &&
         (address.host == "0.0.0.0" || address.host == "::");
}

}  // namespace

void UvListener::listen(int backlog, OnAccept on_accept, OnShortage on_shortage) {
  if (::listen(fd_of(*state_), backlog) != 0)
    throw std::system_error(errno, std::generic_category(), "listen");
  if (Address own = address(); !is_wildcard(own))
    state_->local = std::make_shared<const Address>(std::move(own));
  state_->on_accept = std::move(on_accept);
  state_->on_shortage = std::move(on_shortage);
  if (state_->handles == 1) {  // else it was called before
    check_start(uv_poll_init(state_->loop->raw(), &state_->poll, fd_of(*state_)), "listen");
    ++state_->handles;
    state_->poll.data = state_;
  }
  watch(*state_);
}

void UvListener::accept_waiting() { accept_up_to(*state_, SIZE_MAX); }

namespace {

void watch(UvListener::State& state) {
  uv_poll_start(&state.poll, UV_READABLE, &on_readable);
  state.loop->touch();
}

void pause(UvListener::State& state, int error) {
  uv_poll_stop(&state.poll);
  if (state.retry == nullptr)
    state.retry = std::make_unique<Timer>(*state.loop, [&state] { watch(state); });
  state.retry->start(kRetryTime);
  if (!std::exchange(state.is_short, true)) state.on_shortage({error, std::generic_category()});
}

void accept_up_to(UvListener::State& state, std::size_t most) {
  for (; state.on_accept && most != 0; --most) {
    // accept() is the only call that gives the address of a client that has reset its connection
    // already.
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const int fd = accept4(fd_of(state), reinterpret_cast<sockaddr*>(&peer), &size,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      if (errno != EAGAIN) pause(state, errno);
      return;
    }
    state.is_short = false;
    auto stream = UvStream::adopt(*state.loop, fd, to_address(peer, size), state.local);
    if (stream != nullptr) state.on_accept(std::move(stream));
  }
}

void on_readable(uv_poll_t* poll, int, int) noexcept {
  accept_up_to(*static_cast<UvListener::State*>(poll->data), kMostInTurn);
}

void on_closed(uv_handle_t* handle) noexcept {
  auto* state = static_cast<UvListener::State*>(handle->data);
  if (--state->handles == 0) delete state;
}

}  // namespace

}  // namespace cppasgi::net
