// PROXY preambles of both versions: every field, every way of being wrong, at every cut
// (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt).
#include "server/proxy_protocol/preamble.h"

#include <string>
#include <utility>
#include <vector>

#include "support/catch.h"

using namespace cppasgi;
using namespace cppasgi::proxy_protocol;

namespace {

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string number16(std::size_t number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number & 0xFF)};
}

// Version 2: version and command, family and transport, what stands behind the header.
std::string binary(char command, char family, const std::string& rest) {
  return kSignature + command + family + number16(rest.size()) + rest;
}

std::string field(char type, const std::string& value) {
  return type + number16(value.size()) + value;
}

const std::string kIpv4 =
    std::string("\xC0\x00\x02\x07\xC6\x33\x64\x01", 8) + number16(40000) + number16(443);
const std::string kIpv6 = std::string(15, '\0') + '\1' + std::string("\x20\x01\x0d\xb8", 4) +
                          std::string(11, '\0') + '\2' + number16(1) + number16(65535);

const Address kClient{Address::Family::Tcp, "192.0.2.7", 40000};
const Address kServer{Address::Family::Tcp, "198.51.100.1", 443};

// What `bytes` are as a whole, after every shorter front of them was incomplete.
Preamble preamble_of(const std::string& bytes) {
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    INFO(size);
    REQUIRE(std::holds_alternative<Incomplete>(read_preamble(bytes.substr(0, size))));
  }
  const auto result = read_preamble(bytes);
  if (const auto* broken = std::get_if<Broken>(&result)) FAIL(broken->detail);
  const Preamble& preamble = std::get<Preamble>(result);
  CHECK(preamble.size == bytes.size());
  CHECK(std::get<Preamble>(read_preamble(bytes + "GET / HTTP/1.1\r\n")).size == bytes.size());
  return preamble;
}

std::string wrong_in(const std::string& bytes) {
  const auto result = read_preamble(bytes);
  const auto* broken = std::get_if<Broken>(&result);
  return broken == nullptr ? std::string() : std::string(broken->detail);
}

}  // namespace

TEST_CASE("PROXY 1: a line names client and server", "[proxy_protocol]") {
  const Preamble four = preamble_of("PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n");
  CHECK(four.names_client);
  CHECK(four.client == kClient);
  CHECK(four.server == kServer);
  CHECK_FALSE(four.secure);
  const Preamble six = preamble_of("PROXY TCP6 2001:DB8:0::1 ::1 0 65535\r\n");
  CHECK(six.client == Address{Address::Family::Tcp, "2001:db8::1", 0});
  CHECK(six.server == Address{Address::Family::Tcp, "::1", 65535});
}

TEST_CASE("PROXY 1: UNKNOWN names nobody, whatever follows", "[proxy_protocol]") {
  for (const std::string rest : {"", " ", " ffff:f:f:f::1 f::2 65535 65535", " \x01\xFF"}) {
    CHECK_FALSE(preamble_of("PROXY UNKNOWN" + rest + "\r\n").names_client);
  }
}

TEST_CASE("PROXY 1: what is no such line is refused", "[proxy_protocol]") {
  const std::string longest = "PROXY UNKNOWN " + std::string(91, 'x') + "\r\n";
  REQUIRE(longest.size() == 107);
  CHECK(preamble_of(longest).size == 107);
  CHECK(wrong_in("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n") == "the PROXY line is too long");
  CHECK(wrong_in("PROXY " + std::string(200, 'x')) == "the PROXY line is too long");
  for (const std::string family : {"", "TCP", "TCP5", "tcp4", "UDP4", "UNKNOWNS"}) {
    CHECK(wrong_in("PROXY " + family + " 1.2.3.4 1.2.3.4 1 2\r\n") ==
          "the PROXY line names no known family");
  }
  for (const std::string rest : {"",
                                 "1.2.3.4",
                                 "1.2.3.4 1.2.3.4",
                                 "1.2.3.4 1.2.3.4 1",
                                 "1.2.3.4 1.2.3.4 1 ",
                                 "1.2.3.4 1.2.3.4 1 2 ",
                                 "1.2.3.4 1.2.3.4 1 2 3",
                                 " 1.2.3.4 1.2.3.4 1 2",
                                 "1.2.3.4  1.2.3.4 1 2",
                                 "1.2.3.4 1.2.3.4 65536 2",
                                 "1.2.3.4 1.2.3.4 1 65536",
                                 "1.2.3.4 1.2.3.4 -1 2",
                                 "1.2.3.4 1.2.3.4 +1 2",
                                 "1.2.3.4 1.2.3.4 01 2",
                                 "1.2.3.4 1.2.3.4 1 0x2",
                                 "1.2.3 1.2.3.4 1 2",
                                 "1.2.3.4 1.2.3.256 1 2",
                                 "1.2.3.04 1.2.3.4 1 2",
                                 "::1 ::1 1 2",
                                 "host 1.2.3.4 1 2",
                                 "1.2.3.4/8 1.2.3.4 1 2"}) {
    INFO(rest);
    CHECK(wrong_in("PROXY TCP4 " + rest + "\r\n") == "the PROXY line has a wrong address or port");
  }
  CHECK(wrong_in("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n") ==
        "the PROXY line has a wrong address or port");
  CHECK(wrong_in(std::string("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n", 33)) ==
        "the PROXY line has a wrong address or port");
}

TEST_CASE("PROXY 2: a header names client and server", "[proxy_protocol]") {
  const Preamble four = preamble_of(binary('\x21', '\x11', kIpv4));
  CHECK(four.names_client);
  CHECK(four.client == kClient);
  CHECK(four.server == kServer);
  CHECK_FALSE(four.secure);
  const Preamble six = preamble_of(binary('\x21', '\x21', kIpv6));
  CHECK(six.client == Address{Address::Family::Tcp, "::1", 1});
  CHECK(six.server == Address{Address::Family::Tcp, "2001:db8::2", 65535});
  const std::string path = "/run/site.sock";
  const Preamble local = preamble_of(
      binary('\x21', '\x31', std::string(108, '\0') + path + std::string(108 - path.size(), '\0')));
  CHECK(local.client == Address{Address::Family::Unix, "", 0});
  CHECK(local.server == Address{Address::Family::Unix, path, 0});
  const Preamble full = preamble_of(binary('\x21', '\x31', std::string(216, 'x')));
  CHECK(full.client.host == std::string(108, 'x'));
}

TEST_CASE("PROXY 2: LOCAL and unknown families name nobody, whatever follows", "[proxy_protocol]") {
  for (const auto& [command, family] : {std::pair{'\x20', '\x00'},
                                        {'\x20', '\x11'},
                                        {'\x21', '\x00'},
                                        {'\x21', '\x10'},
                                        {'\x21', '\x01'}}) {
    for (const std::string& rest : {std::string(), kIpv4, std::string("\xFF\xFF\xFF", 3)}) {
      CHECK_FALSE(preamble_of(binary(command, family, rest)).names_client);
    }
  }
}

TEST_CASE("PROXY 2: fields say whether the client came with TLS", "[proxy_protocol]") {
  const std::string authority = field('\x02', "example.org");
  const std::string unused = field('\x04', std::string(300, '\0'));
  for (const auto& [flags, secure] : {std::pair{'\x01', true}, {'\x07', true}, {'\x00', false}}) {
    const std::string tls =
        field('\x20', std::string(1, flags) + std::string(4, '\0') + field('\x21', "TLSv1.3"));
    CHECK(preamble_of(binary('\x21', '\x11', kIpv4 + authority + tls + unused)).secure == secure);
  }
  CHECK_FALSE(preamble_of(binary('\x21', '\x11', kIpv4 + field('\x20', ""))).secure);
}

TEST_CASE("PROXY 2: a checksum has to be right", "[proxy_protocol]") {
  // Computed by another implementation of CRC-32C, whose check value (of "123456789") is E3069283.
  const std::string right("\x39\x42\x6B\xBF", 4);
  CHECK(preamble_of(binary('\x21', '\x11', kIpv4 + field('\x03', right))).client == kClient);
  for (std::size_t at = 0; at < right.size(); ++at) {
    std::string wrong = right;
    wrong[at] = static_cast<char>(wrong[at] ^ 1);
    CHECK(wrong_in(binary('\x21', '\x11', kIpv4 + field('\x03', wrong))) ==
          "the checksum of the PROXY preamble is wrong");
  }
  CHECK(wrong_in(binary('\x21', '\x11', kIpv4 + field('\x03', "123"))) ==
        "the checksum of the PROXY preamble has a wrong size");
}

TEST_CASE("PROXY 2: what is no such header is refused", "[proxy_protocol]") {
  for (const char command : {'\x00', '\x11', '\x22', '\x2F', '\x31', '\xFF'}) {
    CHECK(wrong_in(binary(command, '\x11', kIpv4)) ==
          "the PROXY preamble has an unknown version or command");
  }
  for (const char family : {'\x12', '\x1F', '\x41', '\xFF'}) {
    CHECK(wrong_in(binary('\x21', family, kIpv4)) ==
          "the PROXY preamble is not about a stream of a known family");
  }
  for (const auto& [family, size] : {std::pair{'\x11', 12U}, {'\x21', 36U}, {'\x31', 216U}}) {
    CHECK(wrong_in(binary('\x21', family, std::string(size - 1, '\0'))) ==
          "the PROXY preamble is too short for its addresses");
    CHECK(preamble_of(binary('\x21', family, std::string(size, '\0'))).names_client);
  }
  for (const std::string& rest : {std::string("\x04"), std::string("\x04\x00", 2),
                                  std::string("\x04\x00\x01", 3), field('\x04', "ab") + '\x01'}) {
    CHECK(wrong_in(binary('\x21', '\x11', kIpv4 + rest)) ==
          "a field of the PROXY preamble is cut off");
  }
  CHECK(wrong_in(binary('\x21', '\x11', std::string(kMostBytes - 15, '\0'))) ==
        "the PROXY preamble is too long");
  CHECK(wrong_in(kSignature + "\x21\x11\xFF\xFF") == "the PROXY preamble is too long");
}

TEST_CASE("PROXY: other bytes are refused with the first that is wrong", "[proxy_protocol]") {
  for (const std::string bytes :
       {"G", "PRO ", "PROXy", "proxy ", "\r\n\r\nX", "\n", "\x16\x03\x01"}) {
    INFO(bytes);
    CHECK(wrong_in(bytes) == "there is no PROXY preamble");
  }
}
