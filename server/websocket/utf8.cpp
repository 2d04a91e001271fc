// The automaton of RFC 3629 section 4, one table look-up and one shift a byte, with ASCII skipped
// in blocks. No state of its own beyond the object's; any thread.
#include "server/websocket/utf8.h"

#include <array>

#include "server/base/ascii.h"

namespace cppasgi::websocket {
namespace {

// A state is a bit offset into a row; a row holds the next state for each state, 6 bits apiece. So
// the step from byte to byte is one shift, and a bad byte leads to kBad, which every row maps to
// itself.
enum State : unsigned {
  kBad = 0,
  kStart = 6,
  kOneMore = 12,  // 80..BF, then a character is complete
  kTwoMore = 18,
  kThreeMore = 24,
  kAfterE0 = 30,  // A0..BF: no overlong form
  kAfterED = 36,  // 80..9F: no surrogate
  kAfterF0 = 42,  // 90..BF: no overlong form
  kAfterF4 = 48,  // 80..8F: at most U+10FFFF
};

constexpr std::array<std::uint64_t, 256> make_rows() {
  std::array<std::uint64_t, 256> rows{};
  const auto set = [&rows](unsigned first, unsigned last, State from, State to) {
    for (unsigned byte = first; byte <= last; ++byte) rows[byte] |= std::uint64_t{to} << from;
  };
  set(0x00, 0x7F, kStart, kStart);
  set(0xC2, 0xDF, kStart, kOneMore);
  set(0xE0, 0xE0, kStart, kAfterE0);
  set(0xE1, 0xEC, kStart, kTwoMore);
  set(0xED, 0xED, kStart, kAfterED);
  set(0xEE, 0xEF, kStart, kTwoMore);
  set(0xF0, 0xF0, kStart, kAfterF0);
  set(0xF1, 0xF3, kStart, kThreeMore);
  set(0xF4, 0xF4, kStart, kAfterF4);
  set(0x80, 0xBF, kOneMore, kStart);
  set(0x80, 0xBF, kTwoMore, kOneMore);
  set(0x80, 0xBF, kThreeMore, kTwoMore);
  set(0xA0, 0xBF, kAfterE0, kOneMore);
  set(0x80, 0x9F, kAfterED, kOneMore);
  set(0x90, 0xBF, kAfterF0, kTwoMore);
  set(0x80, 0x8F, kAfterF4, kTwoMore);
  return rows;
}

constexpr std::array<std::uint64_t, 256> kRows = make_rows();
constexpr std::size_t kBlockBytes = sizeof(WideWord);

// The bits above the lowest six are other states' rows and don't matter.
std::uint64_t step(std::uint64_t state, char byte) {
  return kRows[static_cast<unsigned char>(byte)] >> (state & 63);
}

}  // namespace

bool Utf8Validator::append(std::string_view piece) {
  std::uint64_t state = state_;
  const char* next = piece.data();
  const char* const end = next + piece.size();
  const auto left = [&] { return static_cast<std::size_t>(end - next); };
  while ((state & 63) == kBoundary && left() >= kAsciiBlockBytes && is_ascii_block(next))
    next += kAsciiBlockBytes;
  for (; left() >= kBlockBytes; next += kBlockBytes) {
    if ((state & 63) == kBoundary && has_ascii_only(load_wide(next))) continue;
    for (std::size_t i = 0; i < kBlockBytes; ++i) state = step(state, next[i]);
    if ((state & 63) == kBad) {
      state_ = kBad;
      return false;
    }
  }
  for (; next != end; ++next) state = step(state, *next);
  state_ = state & 63;
  return state_ != kBad;
}

bool is_valid_utf8(std::string_view text) {
  Utf8Validator validator;
  return validator.append(text) && validator.complete();
}

std::string_view truncate_utf8(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  while (max_bytes > 0 && (static_cast<unsigned char>(text[max_bytes]) & 0xC0) == 0x80) --max_bytes;
  return text.substr(0, max_bytes);
}

}  // namespace cppasgi::websocket
