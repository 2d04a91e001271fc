// What a WebSocketProtocol makes of bytes, written down as text that owns its memory, for comparing
// runs over the same bytes in other pieces. Shared by the tests and the fuzz target.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/websocket/websocket_protocol.h"
#include "support/feed.h"

namespace cppasgi::test {

struct Transcript {
  std::vector<std::string> events;
  std::string sent;
  friend bool operator==(const Transcript&, const Transcript&) = default;
};

inline std::string describe(const websocket::Event& event) {
  struct Writer {
    std::string operator()(const websocket::TextReceived& e) const {
      return "text " + std::string(e.text);
    }
    std::string operator()(const websocket::BinaryReceived& e) const {
      return "binary " + std::string(e.bytes);
    }
    std::string operator()(const websocket::PingReceived&) const { return "ping"; }
    std::string operator()(const websocket::PongReceived& e) const {
      return "pong " + std::string(e.payload);
    }
    std::string operator()(const websocket::CloseReceived& e) const {
      return "close " + std::to_string(e.code) + " " + std::string(e.reason);
    }
    std::string operator()(const websocket::ProtocolFailed& e) const {
      return "failed " + std::to_string(e.close_code) + " " + std::string(e.detail);
    }
  };
  return std::visit(Writer{}, event);
}

// Each piece is copied to a block of its own size, so that a sanitizer sees a write or read beyond
// it.
inline void feed_websocket(websocket::WebSocketProtocol& protocol, std::string_view piece,
                           Transcript& transcript) {
  std::vector<char> copy(piece.begin(), piece.end());
  protocol.receive_data(copy);
  for (const websocket::Event& event : protocol.events()) {
    transcript.events.push_back(describe(event));
    if (const auto* failure = std::get_if<websocket::ProtocolFailed>(&event))
      protocol.send_close(failure->close_code, failure->detail);
  }
}

// With `answer` compression is agreed on.
inline Transcript run_websocket(const WebSocketLimits& limits, const Pieces& pieces,
                                const std::optional<websocket::DeflateParameters>& answer = {}) {
  websocket::DeflatePool pool({});
  websocket::MessageMemory memory(0);
  websocket::WebSocketProtocol protocol(limits, memory);
  if (answer) {
    protocol.enable_deflate(std::make_unique<websocket::MessageDeflate>(pool, *answer, 0));
  }
  Transcript transcript;
  for (const std::string_view piece : pieces) feed_websocket(protocol, piece, transcript);
  transcript.sent = protocol.bytes_to_send().take();
  return transcript;
}

struct ServerFrame {
  unsigned opcode;
  std::string payload;
  friend bool operator==(const ServerFrame&, const ServerFrame&) = default;
};

// Takes apart what a server sent; only frames shorter than 126 bytes.
inline std::vector<ServerFrame> short_server_frames(std::string_view sent) {
  std::vector<ServerFrame> frames;
  while (sent.size() >= 2) {
    const auto length = static_cast<unsigned char>(sent[1]);
    frames.push_back(
        {static_cast<unsigned char>(sent[0]) & 0x0FU, std::string(sent.substr(2, length))});
    sent.remove_prefix(2 + length);
  }
  return frames;
}

}  // namespace cppasgi::test
