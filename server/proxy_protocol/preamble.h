// The PROXY protocol, versions 1 and 2: what a proxy writes in front of a connection's bytes about
// the client whom it serves (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt). No I/O.
#pragma once

#include <cstddef>
#include <string_view>
#include <variant>

#include "server/base/address.h"

namespace cppasgi::proxy_protocol {

// More bytes than this are no preamble: version 2 could announce 64 KiB.
constexpr std::size_t kMostBytes = 16 * 1024;

// More bytes are needed.
struct Incomplete {};

// The bytes are no preamble. `detail` is a static text.
struct Broken {
  std::string_view detail;
};

struct Preamble {
  std::size_t size = 0;  // of the bytes that it takes
  // The proxy says nothing of a client, as for a health check of its own (LOCAL), or doesn't know
  // one (UNKNOWN): the addresses are those of the connection.
  bool names_client = false;
  Address client;
  Address server;       // to which the client connected
  bool secure = false;  // with TLS
};

// Reads the preamble at the front of a connection's `bytes`, one or more of any number.
std::variant<Incomplete, Broken, Preamble> read_preamble(std::string_view bytes);

}  // namespace cppasgi::proxy_protocol
