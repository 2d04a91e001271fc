#include "server/session/trusted_proxies.h"

#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "server/base/ip_address.h"

namespace cppasgi::session {

namespace {

constexpr unsigned kMappedBits = 96;  // of an IPv4 address in IPv6 form

bool same_prefix(const std::array<std::uint8_t, 16>& left,
                 const std::array<std::uint8_t, 16>& right, unsigned bits) {
  const unsigned whole = bits / 8;
  if (!std::equal(left.begin(), left.begin() + whole, right.begin())) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((left[whole] ^ right[whole]) >> (8 - rest)) == 0;
}

}  // namespace

TrustedProxies::TrustedProxies(const std::vector<std::string>& entries) {
  for (const std::string& entry : entries) {
    if (entry == "*") {
      everybody_ = true;
    } else if (entry == "unix") {
      unix_ = true;
    } else {
      networks_.push_back(parse_network(entry));
    }
  }
}

TrustedProxies::Network TrustedProxies::parse_network(const std::string& text) {
  const std::size_t slash = text.find('/');
  Network network{{}, 128};
  bool is_ipv4 = false;
  bool valid = parse(std::string_view(text).substr(0, slash), network.address, is_ipv4);
  if (valid && slash != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, network.bits);
    valid = error == std::errc() && stop == end && network.bits <= (is_ipv4 ? 32U : 128U);
    if (is_ipv4) network.bits += kMappedBits;
  }
  if (!valid) throw std::invalid_argument(text + " is no address or network");
  return network;
}

bool TrustedProxies::trusts(std::string_view host) const {
  if (everybody_) return true;
  Bytes address;
  bool is_ipv4 = false;
  if (networks_.empty() || !parse(host, address, is_ipv4)) return false;
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    return same_prefix(network.address, address, network.bits);
  });
}

bool TrustedProxies::is_address(std::string_view text) {
  Bytes address;
  bool is_ipv4 = false;
  return parse(text, address, is_ipv4);
}

bool TrustedProxies::parse(std::string_view text, Bytes& bytes, bool& is_ipv4) {
  is_ipv4 = read_ip_address(AF_INET, text, bytes.data() + 12);
  if (is_ipv4) {
    std::fill_n(bytes.begin(), 10, std::uint8_t{0});
    bytes[10] = bytes[11] = 0xff;
    return true;
  }
  return read_ip_address(AF_INET6, text, bytes.data());
}

}  // namespace cppasgi::session
