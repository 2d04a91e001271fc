// Frames of RFC 6455 section 5 as a client writes and reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <vector>

inline constexpr std::uint8_t kContinuation = 0x0, kText = 0x1, kBinary = 0x2;
inline constexpr std::uint8_t kClose = 0x8, kPing = 0x9, kPong = 0xA;
inline constexpr std::uint8_t kFin = 0x80, kCompressed = 0x40, kReserved = 0x30, kMasked = 0x80;

// What one connection's peer did wrong; it ends that connection and counts as one error.
struct PeerError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Appends a masked frame; `first` is its first byte (kFin, kCompressed, opcode).
inline void write_frame(std::vector<std::uint8_t>& output, std::uint8_t first,
                        std::span<const std::uint8_t> payload, std::uint32_t key) {
  const std::size_t length = payload.size();
  const std::size_t extra = length < 126 ? 0 : length < 65536 ? 2 : 8;
  const std::size_t code = extra == 0 ? length : extra == 2 ? 126 : 127;
  const std::size_t start = output.size();
  output.resize(start + 2 + extra + 4 + length);
  std::uint8_t* to = output.data() + start;
  *to++ = first;
  *to++ = static_cast<std::uint8_t>(kMasked | code);
  for (std::size_t i = extra; i-- > 0;) {
    *to++ = static_cast<std::uint8_t>(static_cast<std::uint64_t>(length) >> (8 * i));
  }
  std::memcpy(to, &key, 4);
  to += 4;
  const std::uint64_t wide = std::uint64_t{key} << 32 | key;
  std::size_t i = 0;
  for (; i + 8 <= length; i += 8) {
    std::uint64_t word;
    std::memcpy(&word, payload.data() + i, 8);
    word ^= wide;
    std::memcpy(to + i, &word, 8);
  }
  for (; i < length; ++i) to[i] = payload[i] ^ reinterpret_cast<const std::uint8_t*>(&wide)[i & 7];
}

struct Frame {
  std::uint8_t first;                     // kFin, kCompressed, opcode
  std::span<const std::uint8_t> payload;  // within the bytes that were read
  std::size_t size;                       // of the whole frame
};

// Reads the frame at the start of `bytes`; false when it isn't complete yet. Throws PeerError for a
// masked frame, a reserved bit and a payload over `most` bytes.
inline bool read_frame(std::span<const std::uint8_t> bytes, std::size_t most, Frame& frame) {
  if (bytes.size() < 2) return false;
  if ((bytes[1] & kMasked) != 0) throw PeerError("a server frame was masked");
  if ((bytes[0] & kReserved) != 0) throw PeerError("a reserved bit was set");
  std::size_t header = 2;
  std::uint64_t length = bytes[1] & 0x7F;
  if (length >= 126) {
    header += length == 126 ? 2 : 8;
    if (bytes.size() < header) return false;
    length = 0;
    for (std::size_t i = 2; i < header; ++i) length = length << 8 | bytes[i];
    if (length > most) throw PeerError("a frame longer than its message");
  }
  if (bytes.size() - header < length) return false;
  const auto size = static_cast<std::size_t>(length);
  frame = {bytes[0], bytes.subspan(header, size), header + size};
  return true;
}
