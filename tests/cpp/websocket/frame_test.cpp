// The mask (RFC 6455 5.3) against its definition, byte by byte.
#include "server/websocket/frame.h"

#include <array>
#include <cstring>
#include <string>

#include "support/catch.h"

using cppasgi::websocket::apply_mask;

TEST_CASE("apply_mask: each byte with octet i modulo 4 of the key, at any length and offset",
          "[websocket]") {
  const std::array<char, 4> octets{'\x12', '\xF3', '\x45', '\xB6'};
  std::uint32_t key = 0;
  std::memcpy(&key, octets.data(), sizeof key);
  int wrong = 0;
  for (std::size_t size = 0; size < 130; ++size) {
    for (std::uint64_t offset = 0; offset < 9; ++offset) {
      std::string payload;
      std::string expected;
      for (std::size_t i = 0; i < size; ++i) {
        payload.push_back(static_cast<char>(i * 37));
        expected.push_back(static_cast<char>(payload[i] ^ octets[(offset + i) % 4]));
      }
      apply_mask(payload, key, offset);
      if (payload != expected) ++wrong;
    }
  }
  CHECK(wrong == 0);
}
