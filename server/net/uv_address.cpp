#include "server/net/uv_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <charconv>
#include <cstdint>

namespace cppasgi::net {

namespace {

using HostName = std::array<char, INET6_ADDRSTRLEN + 1>;

// As inet_ntop, which would print each connection's address by sprintf.
void write_ip4(std::uint32_t address, HostName& host) {
  char* next = host.data();
  for (int shift = 24; shift >= 0; shift -= 8) {
    next = std::to_chars(next, host.data() + host.size(), address >> shift & 0xFF).ptr;
    *next++ = shift == 0 ? '\0' : '.';
  }
}

Address from_sockaddr(const sockaddr_storage& storage) {
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

Address tcp_address(const uv_tcp_t* tcp, Side side) {
  sockaddr_storage storage{};
  int size = sizeof storage;
  auto* generic = reinterpret_cast<sockaddr*>(&storage);
  const int status = side == Side::Peer ? uv_tcp_getpeername(tcp, generic, &size)
                                        : uv_tcp_getsockname(tcp, generic, &size);
  if (status != 0) return {};
  return from_sockaddr(storage);
}

Address pipe_address(const uv_pipe_t* pipe, Side side) {
  std::array<char, 256> path{};
  std::size_t size = path.size();
  const int status = side == Side::Peer ? uv_pipe_getpeername(pipe, path.data(), &size)
                                        : uv_pipe_getsockname(pipe, path.data(), &size);
  Address address{Address::Family::Unix, {}, 0};
  if (status == 0) address.host.assign(path.data(), size);
  return address;
}

}  // namespace

Address address_of(const uv_handle_t& handle, Side side) {
  if (handle.type == UV_TCP) return tcp_address(reinterpret_cast<const uv_tcp_t*>(&handle), side);
  return pipe_address(reinterpret_cast<const uv_pipe_t*>(&handle), side);
}

}  // namespace cppasgi::net
