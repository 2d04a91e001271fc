// The events that WebSocketProtocol makes of a peer's frames, in wire order (RFC 6455). Payloads
// point into the protocol object's memory or into the input, and are valid until its next
// receive_data() call.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

namespace cppasgi::websocket {

// A whole message, reassembled; text is valid UTF-8.
struct TextReceived {
  std::string_view text;
  friend bool operator==(const TextReceived&, const TextReceived&) = default;
};
struct BinaryReceived {
  std::string_view bytes;
  friend bool operator==(const BinaryReceived&, const BinaryReceived&) = default;
};

// A ping; its pong is already in bytes_to_send().
struct PingReceived {
  friend bool operator==(const PingReceived&, const PingReceived&) = default;
};
struct PongReceived {
  std::string_view payload;
  friend bool operator==(const PongReceived&, const PongReceived&) = default;
};

// The peer's close frame; the code is 1005 if it had none. If we haven't sent a close frame yet,
// the answer with the same code is in bytes_to_send().
struct CloseReceived {
  std::uint16_t code = 1005;
  std::string_view reason;
  friend bool operator==(const CloseReceived&, const CloseReceived&) = default;
};

// The peer broke the protocol (1002), sent invalid UTF-8 (1007) or too much (1009), or the
// unfinished messages of all connections took too much memory (1013). Nothing more is received: the
// caller answers with send_close(close_code, detail), then closes the connection.
inline constexpr std::string_view kFrameTooBig = "frame too big";  // a detail of 1009
inline constexpr std::string_view kTooMuchUnfinished = "too many unfinished messages";  // of 1013
struct ProtocolFailed {
  std::uint16_t close_code = 1002;
  std::string_view detail;  // static text
  friend bool operator==(const ProtocolFailed&, const ProtocolFailed&) = default;
};

using Event = std::variant<TextReceived, BinaryReceived, PingReceived, PongReceived, CloseReceived,
                           ProtocolFailed>;

}  // namespace cppasgi::websocket
