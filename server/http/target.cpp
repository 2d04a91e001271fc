// Splitting and percent-decoding of request targets (RFC 9112 3.2, RFC 3986 2.1). Nothing is
// validated here; the parser has done that.
#include "server/http/target.h"

#include <algorithm>

namespace cppasgi::http {
namespace {

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  const char lower = static_cast<char>(digit | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

TargetParts split_target(std::string_view target) {
  if (!target.starts_with('/') && target != "*") {
    const std::size_t scheme_end = target.find("://");
    if (scheme_end != std::string_view::npos) {
      target.remove_prefix(scheme_end + 3);
      target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
    }
  }
  const std::size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  return {path.empty() ? std::string_view("/") : path,  // RFC 9110 4.2.3
          mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1)};
}

void percent_decode(std::string_view encoded, std::string& decoded) {
  decoded.clear();
  while (true) {
    const std::size_t percent = encoded.find('%');
    decoded.append(encoded.substr(0, percent));
    if (percent == std::string_view::npos) return;
    encoded.remove_prefix(percent);
    const int high = encoded.size() < 3 ? -1 : hex_value(encoded[1]);
    const int low = encoded.size() < 3 ? -1 : hex_value(encoded[2]);
    if (high < 0 || low < 0) {
      decoded.push_back('%');
      encoded.remove_prefix(1);
    } else {
      decoded.push_back(static_cast<char>(high * 16 + low));
      encoded.remove_prefix(3);
    }
  }
}

}  // namespace cppasgi::http
