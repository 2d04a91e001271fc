// One end of a connection as a value: host and port, or a Unix socket's path.
#pragma once

#include <cstdint>
#include <string>

namespace cppasgi {

struct Address {
  enum class Family : std::uint8_t { Tcp, Unix };
  Family family = Family::Tcp;
  std::string
      host;  // numeric IPv4 or IPv6 without brackets; or the path, empty for an unnamed peer
  std::uint16_t port = 0;  // 0 for Unix
  friend bool operator==(const Address&, const Address&) = default;
};

}  // namespace cppasgi
