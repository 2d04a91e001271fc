// The automaton against the definition of UTF-8 (RFC 3629): every code point, every short sequence
// of bytes, every split.
#include "server/websocket/utf8.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "support/catch.h"
#include "support/feed.h"

using namespace cppasgi::test;
using cppasgi::websocket::is_valid_utf8;
using cppasgi::websocket::truncate_utf8;
using cppasgi::websocket::Utf8Validator;

namespace {

std::string encode_as(std::uint32_t code_point, int bytes) {
  const auto tail = [code_point](int shift) {
    return static_cast<char>(0x80 | (code_point >> shift & 0x3F));
  };
  switch (bytes) {
    case 1:
      return {static_cast<char>(code_point)};
    case 2:
      return {static_cast<char>(0xC0 | code_point >> 6), tail(0)};
    case 3:
      return {static_cast<char>(0xE0 | code_point >> 12), tail(6), tail(0)};
    default:
      return {static_cast<char>(0xF0 | code_point >> 18), tail(12), tail(6), tail(0)};
  }
}

int bytes_of(std::uint32_t code_point) {
  return code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
}

bool is_surrogate(std::uint32_t code_point) { return code_point >= 0xD800 && code_point <= 0xDFFF; }

}  // namespace

TEST_CASE("Utf8Validator: every code point in its shortest form and no other is valid (RFC 3629 3)",
          "[websocket][utf8]") {
  int wrong = 0;
  for (std::uint32_t code_point = 0; code_point < 0x200000; ++code_point) {
    for (int bytes = bytes_of(code_point); bytes <= 4; ++bytes) {
      const bool expected =
          bytes == bytes_of(code_point) && code_point <= 0x10FFFF && !is_surrogate(code_point);
      if (is_valid_utf8(encode_as(code_point, bytes)) != expected) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE(
    "Utf8Validator: of all sequences of two bytes only ASCII pairs and characters are valid (RFC "
    "3629 4)",
    "[websocket][utf8]") {
  int wrong = 0;
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      const std::string text = {static_cast<char>(first), static_cast<char>(second)};
      const bool ascii = first < 0x80 && second < 0x80;
      const bool character = first >= 0xC2 && first <= 0xDF && second >= 0x80 && second <= 0xBF;
      if (is_valid_utf8(text) != (ascii || character)) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("Utf8Validator: a bad byte is found at every place of a long text (RFC 6455 8.1)",
          "[websocket][utf8]") {
  const std::string good =
      "plain text of more than sixteen bytes, \xe2\x82\xac and \xf0\x9f\x98\x80, and then plain "
      "again.";
  CHECK(is_valid_utf8(good));
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const char bad : {'\xff', '\xc0', '\xf5'}) {
      std::string text = good;
      text[i] = bad;
      CHECK_FALSE(is_valid_utf8(text));
    }
  }
}

TEST_CASE("Utf8Validator: a block of ASCII inside a character is bad (RFC 3629 4)",
          "[websocket][utf8]") {
  for (std::size_t before = 0; before < 40; ++before) {
    const std::string text = std::string(before, 'x') + "\xdf" + std::string(48, 'x') + "\x80";
    CHECK_FALSE(is_valid_utf8(text));
    CHECK_FALSE(Utf8Validator().append(text.substr(0, text.size() - 1)));
  }
}

TEST_CASE("Utf8Validator: the place of a split doesn't matter (RFC 6455 8.1)",
          "[websocket][utf8]") {
  const std::string text =
      "\xce\xba\xe1\xbd\xb9 sixteen ASCII bytes and more \xf0\x9f\x98\x80\xed\x9f\xbf";
  for_every_split(text, [](const Pieces& pieces) {
    Utf8Validator validator;
    for (const std::string_view piece : pieces) CHECK(validator.append(piece));
    CHECK(validator.complete());
  });
}

TEST_CASE("Utf8Validator: an unfinished character is neither bad nor complete",
          "[websocket][utf8]") {
  Utf8Validator validator;
  CHECK(validator.append("\xe2\x82"));
  CHECK_FALSE(validator.complete());
  CHECK_FALSE(validator.append("a"));
  CHECK_FALSE(validator.append("good text after the bad byte"));
  CHECK_FALSE(validator.complete());
}

TEST_CASE("truncate_utf8: cuts between characters", "[websocket][utf8]") {
  const std::string_view text =
      "a\xe2\x82\xac"
      "b";
  CHECK(truncate_utf8(text, 5) == text);
  CHECK(truncate_utf8(text, 4) == "a\xe2\x82\xac");
  CHECK(truncate_utf8(text, 3) == "a");
  CHECK(truncate_utf8(text, 2) == "a");
  CHECK(truncate_utf8(text, 1) == "a");
  CHECK(truncate_utf8(text, 0).empty());
}
