// A client on plain blocking sockets, for tests of what runs on libuv. Every wait ends after a few
// seconds, so that a test fails instead of hanging.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <poll.h>
#include <string>
#include <string_view>
#include <utility>

#include "server/base/address.h"

namespace cppasgi::test {

class SocketClient {
 public:
  explicit SocketClient(const Address& server) {
    std::signal(SIGPIPE, SIG_IGN);  // as every program with an EventLoop has to
    sockaddr_storage storage{};
    socklen_t size = 0;
    if (server.family == Address::Family::Unix) {
      auto& address = reinterpret_cast<sockaddr_un&>(storage);
      address.sun_family = AF_UNIX;
      server.host.copy(address.sun_path, sizeof address.sun_path - 1);
      size = sizeof address;
    } else if (server.host.find(':') != std::string::npos) {
      auto& address = reinterpret_cast<sockaddr_in6&>(storage);
      address.sin6_family = AF_INET6;
      address.sin6_port = htons(server.port);
      inet_pton(AF_INET6, server.host.c_str(), &address.sin6_addr);
      size = sizeof address;
    } else {
      auto& address = reinterpret_cast<sockaddr_in&>(storage);
      address.sin_family = AF_INET;
      address.sin_port = htons(server.port);
      inet_pton(AF_INET, server.host.c_str(), &address.sin_addr);
      size = sizeof address;
    }
    fd_ = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&storage), size) != 0) error_ = errno;
  }
  ~SocketClient() { close_now(); }
  SocketClient(const SocketClient&) = delete;
  SocketClient& operator=(const SocketClient&) = delete;

  bool connected() const { return error_ == 0; }
  int fd() const { return fd_; }
  std::uint16_t port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) {
        error_ = errno;
        return;
      }
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  void end() { shutdown(fd_, SHUT_WR); }
  void close_now() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }
  void reset() {
    const linger at_once{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close_now();
  }

  // Reads until the text ends with `end`, or the server closed. What was read stays in the text.
  const std::string& read_until(std::string_view end) {
    while (!text_.ends_with(end) && read_some()) {
    }
    return text_;
  }
  // Reads exactly so many bytes more, or until the server closed.
  const std::string& read_bytes(std::size_t count) {
    const std::size_t wanted = text_.size() + count;
    while (text_.size() < wanted && read_some()) {
    }
    return text_;
  }
  // Reads what is there.
  const std::string& read_waiting() {
    pollfd waiting{fd_, POLLIN, 0};
    while (poll(&waiting, 1, 0) > 0 && read_some()) {
    }
    return text_;
  }
  // Reads until the server closed.
  const std::string& read_all() {
    while (read_some()) {
    }
    return text_;
  }
  std::string take() { return std::exchange(text_, {}); }

  // How reading ended: 0 with the server's last byte, ETIMEDOUT, or the socket's error.
  int error() const { return error_; }
  bool ended() const { return ended_; }

 private:
  static constexpr int kPatienceMilliseconds = 20'000;

  bool read_some() {
    if (ended_ || error_ != 0) return false;
    pollfd waiting{fd_, POLLIN, 0};
    if (poll(&waiting, 1, kPatienceMilliseconds) <= 0) {
      error_ = ETIMEDOUT;
      return false;
    }
    std::array<char, 65536> block;
    const ssize_t size = recv(fd_, block.data(), block.size(), 0);
    if (size > 0) {
      text_.append(block.data(), static_cast<std::size_t>(size));
      return true;
    }
    ended_ = size == 0;
    if (size < 0) error_ = errno;
    return false;
  }

  int fd_ = -1;
  int error_ = 0;
  bool ended_ = false;
  std::string text_;
};

}  // namespace cppasgi::test
