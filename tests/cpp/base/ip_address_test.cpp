// Numeric IP addresses out of hostile text.
#include "server/base/ip_address.h"

#include <sys/socket.h>

#include <array>
#include <string>
#include <string_view>

#include "support/catch.h"

using namespace cppasgi;

namespace {

bool is_address(int family, std::string_view text) {
  std::array<unsigned char, 16> bytes{};
  return read_ip_address(family, text, bytes.data());
}

}  // namespace

TEST_CASE("read_ip_address: the bytes are in network order", "[base]") {
  std::array<unsigned char, 16> bytes{};
  REQUIRE(read_ip_address(AF_INET, "192.0.2.7", bytes.data()));
  CHECK(bytes == std::array<unsigned char, 16>{192, 0, 2, 7});
  REQUIRE(read_ip_address(AF_INET6, "2001:db8::1", bytes.data()));
  CHECK(bytes ==
        std::array<unsigned char, 16>{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
}

TEST_CASE("read_ip_address: the whole text has to be an address of the family", "[base]") {
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv, "1.2.3"sv, "1.2.3.4 "sv, " 1.2.3.4"sv, "1.2.3.256"sv,
                                      "1.2.3.04"sv, "::1"sv, "1.2.3.4\0"sv, "1.2.3.4\0x"sv}) {
    CHECK_FALSE(is_address(AF_INET, text));
  }
  for (const std::string_view text :
       {""sv, "1.2.3.4"sv, "::1%lo"sv, "[::1]"sv, "::1\0"sv, "1::2::3"sv}) {
    CHECK_FALSE(is_address(AF_INET6, text));
  }
  CHECK(is_address(AF_INET6, "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"));  // the longest
  CHECK_FALSE(is_address(AF_INET6, std::string(10'000, '1')));
}
