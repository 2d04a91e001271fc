// What the WebSocket fuzz targets make of the fuzzer's bytes: frames, and cuts of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "require.h"
#include "support/feed.h"
#include "support/websocket_frames.h"

namespace cppasgi::test {

// A script is a list of: first byte of a header, payload size, payload. Its frames are masked and
// well formed, so that fragments and control frames are reached without guessing masks and lengths.
inline std::string frames_of(std::string_view script) {
  std::string frames;
  while (script.size() >= 2) {
    const auto first = static_cast<unsigned char>(script[0]);
    const std::size_t size =
        std::min<std::size_t>(static_cast<unsigned char>(script[1]), script.size() - 2);
    frames += encode({.opcode = first & 0x0FU,
                      .payload = script.substr(2, size),
                      .final = (first & 0x80) != 0,
                      .reserved_bits = (first & 0x70U) >> 4,
                      .key = {first, 0, 0xff, 0x80}});
    script.remove_prefix(2 + size);
  }
  return frames;
}

// Pieces of changing sizes, the same for the same input.
inline Pieces irregular_pieces(std::string_view text) {
  Pieces pieces;
  std::uint32_t state = 2166136261U;
  for (const char byte : text) state = (state ^ static_cast<unsigned char>(byte)) * 16777619U;
  while (!text.empty()) {
    state = state * 1664525U + 1013904223U;
    const std::size_t size = std::min<std::size_t>(text.size(), 1 + (state >> 16) % 40);
    pieces.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return pieces;
}

inline Pieces single_bytes(std::string_view text) {
  Pieces pieces;
  for (std::size_t i = 0; i < text.size(); ++i) pieces.push_back(text.substr(i, 1));
  return pieces;
}

}  // namespace cppasgi::test
