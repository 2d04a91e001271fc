// The client's half of a WebSocket's opening handshake, and what a server answers to it (RFC 6455
// section 1.3). Test code only.
#pragma once

#include <string>
#include <string_view>

namespace cppasgi::test {

inline std::string opening_handshake(std::string_view more_fields = {},
                                     std::string_view target = "/w?q=1") {
  return "GET " + std::string(target) +
         " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
         std::string(more_fields) + "\r\n";
}

inline std::string accepted(std::string_view more_fields = {}) {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" +
         std::string(more_fields) + "\r\n";
}

}  // namespace cppasgi::test
