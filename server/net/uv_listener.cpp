#include "server/net/uv_listener.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <uv.h>

#include "server/net/event_loop.h"
#include "server/net/uv_address.h"
#include "server/net/uv_error.h"
#include "server/net/uv_stream.h"

namespace cppasgi::net {

struct UvListener::State {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };
  EventLoop* loop = nullptr;
  Address::Family family = Address::Family::Tcp;
  std::shared_ptr<const Address> local;  // of every connection; null when each has its own
  OnAccept on_accept;
};

namespace {

void on_connection(uv_stream_t* listener, int status) noexcept;
void on_closed(uv_handle_t* handle) noexcept;

UvListener::State* make_state(EventLoop& loop, Address::Family family) {
  auto* state = new UvListener::State;
  state->loop = &loop;
  state->family = family;
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
  // Accepted sockets inherit it, so that no connection costs a system call for it.
  check_start(uv_tcp_nodelay(tcp, 1), "nodelay");
  // libuv keeps a failed bind to itself until the next call.
  sockaddr_storage bound{};
  int size = sizeof bound;
  check_start(uv_tcp_getsockname(tcp, reinterpret_cast<sockaddr*>(&bound), &size), "bind");
  return listener;
}

std::unique_ptr<UvListener> UvListener::bind_unix(EventLoop& loop, const std::string& path) {
  // libuv would bind its beginning.
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
  uv_close(&state_->handle, &on_closed);
  state_->loop->touch();
}

Address UvListener::address() const { return address_of(state_->handle, Side::Local); }

namespace {

bool is_wildcard(const Address& address) {
  return address.family == Address::Family::Tcp &&
         (address.host == "0.0.0.0" || address.host == "::");
}

}  // namespace

void UvListener::listen(int backlog, OnAccept on_accept) {
  state_->on_accept = std::move(on_accept);
  if (Address own = address(); !is_wildcard(own))
    state_->local = std::make_shared<const Address>(std::move(own));
  check_start(uv_listen(&state_->stream, backlog, &on_connection), "listen");
  state_->loop->touch();
}

// Not with uv_accept, which takes the one connection that libuv has accepted by itself.
void UvListener::accept_waiting() {
  uv_os_fd_t listener = -1;
  uv_fileno(&state_->handle, &listener);
  while (state_->on_accept) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == ECONNABORTED || errno == EINTR)) continue;
    if (fd < 0) return;
    auto stream = UvStream::adopt(*state_->loop, fd, state_->family, state_->local);
    if (stream != nullptr) state_->on_accept(std::move(stream));
  }
}

namespace {

void on_connection(uv_stream_t* listener, int status) noexcept {
  auto& state = *static_cast<UvListener::State*>(listener->data);
  if (status < 0 || !state.on_accept) return;
  std::unique_ptr<UvStream> stream =
      UvStream::accept(*state.loop, listener, state.family, state.local);
  if (stream != nullptr) state.on_accept(std::move(stream));
}

void on_closed(uv_handle_t* handle) noexcept {
  delete static_cast<UvListener::State*>(handle->data);
}

}  // namespace

}  // namespace cppasgi::net
