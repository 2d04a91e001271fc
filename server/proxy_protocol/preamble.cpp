#include "server/proxy_protocol/preamble.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>

#include "server/base/ip_address.h"

namespace cppasgi::proxy_protocol {
namespace {

using Result = std::variant<Incomplete, Broken, Preamble>;

constexpr std::string_view kName = "PROXY ";
constexpr std::size_t kMostLineBytes = 107;  // of version 1, with its end
constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kHeaderBytes = 16;
constexpr std::size_t kIpv4Bytes = 4;
constexpr std::size_t kIpv6Bytes = 16;
constexpr std::size_t kUnixBytes = 108;
constexpr std::size_t kPortBytes = 2;

// --- version 1: a line ---

std::string_view take_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

bool parse_host(std::string_view text, int family, std::string& host) {
  std::array<unsigned char, kIpv6Bytes> address{};
  std::array<char, INET6_ADDRSTRLEN> canonical{};
  if (!read_ip_address(family, text, address.data())) return false;
  host = inet_ntop(family, address.data(), canonical.data(), canonical.size());
  return true;
}

bool parse_port(std::string_view text, std::uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && (text.size() == 1 || text.front() != '0');
}

Result read_line(std::string_view bytes) {
  const std::size_t end = bytes.substr(0, kMostLineBytes).find("\r\n");
  if (end == std::string_view::npos) {
    if (bytes.size() < kMostLineBytes) return Incomplete{};
    return Broken{"the PROXY line is too long"};
  }
  Preamble preamble;
  preamble.size = end + 2;
  std::string_view line = bytes.substr(kName.size(), end - kName.size());
  const std::string_view family = take_word(line);
  if (family == "UNKNOWN") return preamble;
  if (family != "TCP4" && family != "TCP6") return Broken{"the PROXY line names no known family"};
  const int number = family == "TCP4" ? AF_INET : AF_INET6;
  const std::string_view client = take_word(line);
  const std::string_view server = take_word(line);
  const std::string_view client_port = take_word(line);
  if (!parse_host(client, number, preamble.client.host) ||
      !parse_host(server, number, preamble.server.host) ||
      !parse_port(client_port, preamble.client.port) || !parse_port(line, preamble.server.port)) {
    return Broken{"the PROXY line has a wrong address or port"};
  }
  preamble.names_client = true;
  return preamble;
}

// --- version 2: binary ---

std::uint8_t byte(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

std::uint16_t number16(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(byte(bytes, at) << 8 | byte(bytes, at + 1));
}

// CRC-32C (RFC 9260 appendix A) over `bytes`, with the four at `hole` counted as zeros. Once for a
// connection, and only if a proxy sends one, so it needs no table.
std::uint32_t checksum(std::string_view bytes, std::size_t hole) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    crc ^= at >= hole && at < hole + 4 ? 0U : byte(bytes, at);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78U : 0U);
  }
  return ~crc;
}

Address tcp_address(std::string_view address, int family, std::uint16_t port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family, address.data(), text.data(), text.size());
  return {Address::Family::Tcp, text.data(), port};
}

// Sets the addresses of `preamble` from `bytes`, those behind the header; returns how many they
// take, or nothing if there are too few.
std::size_t read_addresses(std::string_view bytes, std::uint8_t family, Preamble& preamble) {
  if (family == 3) {
    if (bytes.size() < 2 * kUnixBytes) return 0;
    const auto path = [&](std::size_t at) {
      const std::string_view padded = bytes.substr(at, kUnixBytes);
      return Address{Address::Family::Unix, std::string(padded.substr(0, padded.find('\0'))), 0};
    };
    preamble.client = path(0);
    preamble.server = path(kUnixBytes);
    return 2 * kUnixBytes;
  }
  const std::size_t host = family == 1 ? kIpv4Bytes : kIpv6Bytes;
  const std::size_t size = 2 * (host + kPortBytes);
  if (bytes.size() < size) return 0;
  const int number = family == 1 ? AF_INET : AF_INET6;
  preamble.client = tcp_address(bytes.substr(0, host), number, number16(bytes, 2 * host));
  preamble.server =
      tcp_address(bytes.substr(host, host), number, number16(bytes, 2 * host + kPortBytes));
  return size;
}

// Reads the type-length-value fields from `at` on; an empty text if they are right.
std::string_view read_fields(std::string_view bytes, std::size_t at, Preamble& preamble) {
  constexpr std::uint8_t kChecksum = 0x03;
  constexpr std::uint8_t kTls = 0x20;
  while (at < bytes.size()) {
    constexpr std::string_view kCut = "a field of the PROXY preamble is cut off";
    if (bytes.size() - at < 3) return kCut;
    const std::uint8_t type = byte(bytes, at);
    const std::size_t size = number16(bytes, at + 1);
    at += 3;
    if (bytes.size() - at < size) return kCut;
    if (type == kChecksum) {
      if (size != 4) return "the checksum of the PROXY preamble has a wrong size";
      const std::uint32_t given =
          std::uint32_t{number16(bytes, at)} << 16 | number16(bytes, at + 2);
      if (checksum(bytes, at) != given) return "the checksum of the PROXY preamble is wrong";
    } else if (type == kTls && size != 0) {
      preamble.secure = (byte(bytes, at) & 1) != 0;
    }
    at += size;
  }
  return {};
}

Result read_binary(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return Incomplete{};
  const std::uint8_t version_and_command = byte(bytes, 12);
  if (version_and_command != 0x20 && version_and_command != 0x21)
    return Broken{"the PROXY preamble has an unknown version or command"};
  const std::uint8_t family = byte(bytes, 13) >> 4;
  const std::uint8_t transport = byte(bytes, 13) & 0xF;
  if (family > 3 || transport > 1)
    return Broken{"the PROXY preamble is not about a stream of a known family"};
  Preamble preamble;
  preamble.size = kHeaderBytes + number16(bytes, 14);
  if (preamble.size > kMostBytes) return Broken{"the PROXY preamble is too long"};
  if (bytes.size() < preamble.size) return Incomplete{};
  bytes = bytes.substr(0, preamble.size);
  // The bytes after the header are skipped for LOCAL and for an unknown family.
  if (version_and_command == 0x20 || family == 0 || transport == 0) return preamble;
  preamble.names_client = true;
  const std::size_t addresses = read_addresses(bytes.substr(kHeaderBytes), family, preamble);
  if (addresses == 0) return Broken{"the PROXY preamble is too short for its addresses"};
  const std::string_view wrong = read_fields(bytes, kHeaderBytes + addresses, preamble);
  if (!wrong.empty()) return Broken{wrong};
  return preamble;
}

}  // namespace

Result read_preamble(std::string_view bytes) {
  const auto begins_like = [bytes](std::string_view begin) {
    return begin.starts_with(bytes.substr(0, begin.size()));
  };
  if (begins_like(kName)) return bytes.size() < kName.size() ? Incomplete{} : read_line(bytes);
  if (begins_like(kSignature)) return read_binary(bytes);
  return Broken{"there is no PROXY preamble"};
}

}  // namespace cppasgi::proxy_protocol
