// The header of a frame as a value, and the mask (RFC 6455 5.2, 5.3). These functions read and
// write bytes; WebSocketProtocol and wslay decide what is legal. They are inline because they run
// for each message. Any thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "server/base/output_buffer.h"
#include "server/base/wide_word.h"

namespace cppasgi::websocket {

enum class Opcode : std::uint8_t {
  Continuation = 0,
  Text = 1,
  Binary = 2,
  Close = 8,
  Ping = 9,
  Pong = 10
};

inline constexpr std::size_t kMinHeaderBytes = 2;
inline constexpr std::size_t kMaxHeaderBytes = 14;
inline constexpr std::size_t kMaxControlPayloadBytes = 125;

inline constexpr std::uint8_t kRsv1 = 4;  // of reserved_bits: compressed (RFC 7692 6)

struct FrameHeader {
  bool final = false;
  bool masked = false;
  std::uint8_t reserved_bits = 0;
  Opcode opcode = Opcode::Continuation;  // may hold any of 16 values
  std::uint32_t mask_key = 0;            // in memory as on the wire
  std::uint64_t payload_bytes = 0;

  bool is_control() const { return (static_cast<std::uint8_t>(opcode) & 8) != 0; }
};

// Returns the size of a header from its second byte.
inline std::size_t header_bytes(char second) {
  const unsigned length = static_cast<unsigned char>(second) & 0x7F;
  const std::size_t extended = length == 127 ? 8 : length == 126 ? 2 : 0;
  const std::size_t key = (static_cast<unsigned char>(second) & 0x80) != 0 ? 4 : 0;
  return kMinHeaderBytes + extended + key;
}

// Parses a header. Precondition: `bytes` is a whole header.
inline FrameHeader parse_header(std::string_view bytes) {
  const auto at = [bytes](std::size_t index) { return static_cast<unsigned char>(bytes[index]); };
  FrameHeader header;
  header.final = (at(0) & 0x80) != 0;
  header.reserved_bits = (at(0) >> 4) & 7;
  header.opcode = static_cast<Opcode>(at(0) & 0x0F);
  header.masked = (at(1) & 0x80) != 0;
  header.payload_bytes = at(1) & 0x7F;
  std::size_t index = kMinHeaderBytes;
  if (header.payload_bytes >= 126) {
    const std::size_t end = index + (header.payload_bytes == 126 ? 2 : 8);
    header.payload_bytes = 0;
    for (; index < end; ++index) header.payload_bytes = header.payload_bytes << 8 | at(index);
  }
  if (header.masked) std::memcpy(&header.mask_key, bytes.data() + index, sizeof header.mask_key);
  return header;
}

// Whether the payload length is written in its shortest form (RFC 6455 5.2).
inline bool is_minimal(std::size_t header_size, const FrameHeader& header) {
  const std::size_t extended = header_size - kMinHeaderBytes - (header.masked ? 4 : 0);
  return extended == 0 ||
         (extended == 2 ? header.payload_bytes >= 126 : header.payload_bytes > 0xFFFF);
}

// Appends the header of a frame that is whole and unmasked, as servers send them.
inline void append_frame_header(OutputBuffer& output, Opcode opcode, std::size_t payload_bytes,
                                unsigned reserved_bits = 0) {
  std::array<char, 10> header{};
  std::size_t size = kMinHeaderBytes;
  std::size_t extended = 0;
  header[0] = static_cast<char>(0x80 | reserved_bits << 4 | static_cast<unsigned>(opcode));
  if (payload_bytes < 126) {
    header[1] = static_cast<char>(payload_bytes);
  } else {
    extended = payload_bytes <= 0xFFFF ? 2 : 8;
    header[1] = extended == 2 ? 126 : 127;
  }
  for (; extended > 0; --extended)
    header[size++] = static_cast<char>(payload_bytes >> (8 * (extended - 1)) & 0xFF);
  output.append(std::string_view(header.data(), size));
}

// Takes the mask off a payload, or off a piece of it that begins `offset` bytes into the payload.
inline void apply_mask(std::span<char> piece, std::uint32_t key, std::uint64_t offset) {
  const int turn = static_cast<int>(offset & 3) * 8;
  key = std::endian::native == std::endian::little ? std::rotr(key, turn) : std::rotl(key, turn);
  const std::uint64_t wide = std::uint64_t{key} << 32 | key;
  char* next = piece.data();
  std::size_t left = piece.size();
  const WideWord widest{wide, wide};
  for (; left >= sizeof widest; left -= sizeof widest, next += sizeof widest)
    store_wide(next, load_wide(next) ^ widest);
  if (left >= sizeof wide) {
    std::uint64_t word;
    std::memcpy(&word, next, sizeof word);
    word ^= wide;
    std::memcpy(next, &word, sizeof word);
    left -= sizeof wide;
    next += sizeof wide;
  }
  std::array<char, sizeof wide> tail{};
  std::memcpy(tail.data(), &wide, sizeof wide);
  for (std::size_t i = 0; i < left; ++i) next[i] = static_cast<char>(next[i] ^ tail[i]);
}

}  // namespace cppasgi::websocket
