// Builds frames as a client sends them, right or wrong (RFC 6455 5.2), and frames as a server
// answers them. Test code only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cppasgi::test {

// How many bytes the length takes beyond its 7 bits.
enum class LengthForm : std::uint8_t { Shortest, SevenBits, TwoBytes, EightBytes };

struct Frame {
  unsigned opcode = 1;
  std::string_view payload = {};
  bool final = true;
  unsigned reserved_bits = 0;
  bool masked = true;
  LengthForm length_form = LengthForm::Shortest;
  std::uint64_t announced_bytes = 0;  // 0: the payload's size
  std::array<unsigned char, 4> key = {0x37, 0xfa, 0x21, 0x3d};
};

// The frame's bytes; its header alone when the payload is empty and announced_bytes isn't 0.
inline std::string encode(const Frame& frame) {
  std::string bytes;
  const auto put = [&bytes](std::uint64_t byte) {
    bytes.push_back(static_cast<char>(byte & 0xFF));
  };
  const std::uint64_t length =
      frame.announced_bytes != 0 ? frame.announced_bytes : frame.payload.size();
  LengthForm form = frame.length_form;
  if (form == LengthForm::Shortest) {
    form = length < 126 ? LengthForm::SevenBits
                        : (length <= 0xFFFF ? LengthForm::TwoBytes : LengthForm::EightBytes);
  }
  put((frame.final ? 0x80U : 0U) | frame.reserved_bits << 4 | frame.opcode);
  const unsigned mask_bit = frame.masked ? 0x80 : 0;
  int extended = 0;
  if (form == LengthForm::SevenBits) {
    put(mask_bit | length);
  } else {
    extended = form == LengthForm::TwoBytes ? 2 : 8;
    put(mask_bit | (extended == 2 ? 126U : 127U));
  }
  for (int i = extended - 1; i >= 0; --i) put(length >> (8 * i));
  if (!frame.masked) return bytes.append(frame.payload);
  for (const unsigned char byte : frame.key) put(byte);
  for (std::size_t i = 0; i < frame.payload.size(); ++i) {
    put(static_cast<unsigned char>(frame.payload[i]) ^ frame.key[i % 4]);
  }
  return bytes;
}

inline std::string text_frame(std::string_view payload) {
  return encode({.opcode = 1, .payload = payload});
}
inline std::string binary_frame(std::string_view payload) {
  return encode({.opcode = 2, .payload = payload});
}
inline std::string ping_frame(std::string_view payload) {
  return encode({.opcode = 9, .payload = payload});
}
inline std::string pong_frame(std::string_view payload) {
  return encode({.opcode = 10, .payload = payload});
}

// The payload of a close frame.
inline std::string close_payload(unsigned code, std::string_view reason = {}) {
  std::string payload = {static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  return payload.append(reason);
}

inline std::string close_frame(unsigned code, std::string_view reason = {}) {
  return encode({.opcode = 8, .payload = close_payload(code, reason)});
}

// What a server sends: the same without a mask.
inline std::string server_frame(unsigned opcode, std::string_view payload) {
  return encode({.opcode = opcode, .payload = payload, .masked = false});
}

}  // namespace cppasgi::test
