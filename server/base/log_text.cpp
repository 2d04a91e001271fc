#include "server/base/log_text.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace cppasgi {

namespace {

bool is_plain(char byte) {
  const auto code = static_cast<unsigned char>(byte);
  return code >= 0x20 && code < 0x7f && byte != '"' && byte != '\\';
}

// Appends `text`; calls `escape` for each byte that isn't plain.
template <typename Escape>
void append_escaped(std::string& line, std::string_view text, Escape&& escape) {
  for (auto begin = text.begin();;) {
    const auto end = std::find_if_not(begin, text.end(), is_plain);
    line.append(begin, end);
    if (end == text.end()) break;
    escape(*end);
    begin = end + 1;
  }
}

std::string in_hex(const char* format, char byte) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), format, static_cast<unsigned char>(byte));
  return text.data();
}

}  // namespace

void append_log_text(std::string& line, std::string_view text) {
  append_escaped(line, text, [&line](char byte) { line += in_hex("\\x%02X", byte); });
}

void append_json_text(std::string& line, std::string_view text) {
  line += '"';
  append_escaped(line, text, [&line](char byte) {
    if (byte == '"' || byte == '\\') {
      (line += '\\') += byte;
    } else {
      line += in_hex("\\u%04x", byte);
    }
  });
  line += '"';
}

}  // namespace cppasgi
