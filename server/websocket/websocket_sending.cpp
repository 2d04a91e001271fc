// The few frames that a server sends.
#include "server/websocket/websocket_protocol.h"

namespace cppasgi::websocket {
namespace {

constexpr std::size_t kMaxReasonBytes = kMaxControlPayloadBytes - 2;
// Payloads from this size on aren't copied: writing them from where they lie costs less.
constexpr std::size_t kLongPayloadBytes = 8 * 1024;

}  // namespace

void WebSocketProtocol::send(Opcode opcode, std::string_view payload) {
  if (close_sent_) return;
  append_frame_header(output_, opcode, payload.size());
  output_.append(payload);
}

std::string_view WebSocketProtocol::send_message(Opcode opcode, std::string_view payload) {
  if (close_sent_) return {};
  std::uint8_t bits = 0;
  if (deflate_ != nullptr) {
    if (const auto compressed = deflate_->compress(payload)) {
      payload = *compressed;
      bits = kRsv1;
    }
  }
  append_frame_header(output_, opcode, payload.size(), bits);
  if (payload.size() >= kLongPayloadBytes) return payload;
  output_.append(payload);
  return {};
}

std::string_view WebSocketProtocol::send_text(std::string_view text) {
  return send_message(Opcode::Text, text);
}

std::string_view WebSocketProtocol::send_binary(std::string_view bytes) {
  return send_message(Opcode::Binary, bytes);
}

void WebSocketProtocol::send_ping(std::string_view payload) {
  send(Opcode::Ping, payload.substr(0, kMaxControlPayloadBytes));
}

void WebSocketProtocol::send_close(std::uint16_t code, std::string_view reason) {
  std::string payload;
  if (code != kNoStatusCode) {
    payload.push_back(static_cast<char>(code >> 8));
    payload.push_back(static_cast<char>(code & 0xFF));
    payload.append(truncate_utf8(reason, kMaxReasonBytes));
  }
  send(Opcode::Close, payload);
  close_sent_ = true;
}

}  // namespace cppasgi::websocket
