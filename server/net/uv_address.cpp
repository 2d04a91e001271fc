#include "server/net/uv_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace cppasgi::net {

namespace {

using HostName = std::array<char, INET6_ADDRSTRLEN + 1>;

// Like inet_ntop(), but faster: that one uses sprintf(), for each connection.
void write_ip4(std::uint32_t address, HostName& host) {
  char* next = host.data();
  for (int shift = 24; shift >= 0; shift -= 8) {
    next = std::to_chars(next, host.data() + host.size(), address >> shift & 0xFF).ptr;
    *next++ = shift == 0 ? '\0' : '.';
  }
}

Address from_ip(const sockaddr_storage& storage) {
  HostName host{};
  Address address;
  if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    uv_ip6_name(&v6, host.data(), host.size());
    address.port = ntohs(v6.sin6_port);
  } else {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    write_ip4(ntohl(v4.sin_addr.s_addr), host);
    address.port = ntohs(v4.sin_port);
  }
  address.host = host.data();
  return address;
}

// A path's end may be a zero byte or the end of `size`; an abstract name begins with one.
Address from_unix(const sockaddr_storage& storage, socklen_t size) {
  const auto* path = reinterpret_cast<const sockaddr_un&>(storage).sun_path;
  const std::size_t before = offsetof(sockaddr_un, sun_path);
  const std::size_t most = size > before ? size - before : 0;
  const bool is_abstract = most != 0 && path[0] == '\0';
  return {Address::Family::Unix, std::string(path, is_abstract ? most : strnlen(path, most)), 0};
}

}  // namespace

Address to_address(const sockaddr_storage& storage, socklen_t size) {
  return storage.ss_family == AF_UNIX ? from_unix(storage, size) : from_ip(storage);
}

Address local_address(const uv_handle_t& handle) {
  const bool is_tcp = handle.type == UV_TCP;
  uv_os_fd_t fd = -1;
  uv_fileno(&handle, &fd);
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) == 0)
    return to_address(storage, size);
  return {is_tcp ? Address::Family::Tcp : Address::Family::Unix, {}, 0};
}

}  // namespace cppasgi::net
