// Table look-ups for the character rules of RFC 9110 section 5. Bytes above 0x7f are obs-text:
// allowed in field values, nowhere else.
#include "server/http/syntax.h"

#include <algorithm>
#include <array>

namespace cppasgi::http {
namespace {

using ByteSet = std::array<bool, 256>;

constexpr ByteSet make_token_set() {
  ByteSet set{};
  for (const unsigned char byte : std::string_view("!#$%&'*+-.^_`|~0123456789")) set[byte] = true;
  for (unsigned byte = 'a'; byte <= 'z'; ++byte) set[byte] = set[byte - 'a' + 'A'] = true;
  return set;
}

constexpr ByteSet make_field_value_set() {
  ByteSet set{};
  for (unsigned byte = 0x20; byte < set.size(); ++byte) set[byte] = byte != 0x7f;
  set['\t'] = true;
  return set;
}

constexpr ByteSet kTokenBytes = make_token_set();
constexpr ByteSet kFieldValueBytes = make_field_value_set();

bool all_in(const ByteSet& set, std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [&set](char byte) { return set[static_cast<unsigned char>(byte)]; });
}

constexpr unsigned char lower(char byte) {
  const auto code = static_cast<unsigned char>(byte);
  return static_cast<unsigned char>(code | (static_cast<unsigned>(code - 'A') < 26U ? 0x20U : 0U));
}

bool is_blank(char byte) { return byte == ' ' || byte == '\t'; }

}  // namespace

bool is_token(std::string_view text) { return !text.empty() && all_in(kTokenBytes, text); }

bool is_field_value(std::string_view text) { return all_in(kFieldValueBytes, text); }

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  if (left == right) return true;  // the usual case, and quick
  for (std::size_t index = 0; index < left.size(); ++index) {
    if (lower(left[index]) != lower(right[index])) return false;
  }
  return true;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

bool list_contains(std::string_view list, std::string_view token) {
  while (true) {
    const std::size_t comma = list.find(',');
    if (equals_ignoring_case(trim(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace cppasgi::http
