// Whose word about its clients is taken: addresses and networks, Unix sockets, or everybody. Read
// from text once, asked for each request.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/address.h"

namespace cppasgi::session {

class TrustedProxies {
 public:
  // Each entry is an IPv4 or IPv6 address, a network such as 10.0.0.0/8, "unix" or "*". Throws
  // std::invalid_argument for others.
  explicit TrustedProxies(const std::vector<std::string>& entries);

  bool trusts(const Address& peer) const {
    return peer.family == Address::Family::Unix ? everybody_ || unix_ : trusts(peer.host);
  }
  // `host` is a numeric address without port; an IPv4 address in IPv6 form (RFC 4291 2.5.5.2) is
  // the IPv4 one. What isn't an address is trusted by "*" only.
  bool trusts(std::string_view host) const;

  // Whether a text is a numeric IPv4 or IPv6 address, and nothing else.
  static bool is_address(std::string_view text);

 private:
  using Bytes = std::array<std::uint8_t, 16>;  // IPv4 as ::ffff:a.b.c.d
  struct Network {
    Bytes address;
    unsigned bits;
  };

  static Network parse_network(const std::string& text);
  static bool parse(std::string_view text, Bytes& bytes, bool& is_ipv4);

  std::vector<Network> networks_;
  bool unix_ = false;
  bool everybody_ = false;
};

}  // namespace cppasgi::session
