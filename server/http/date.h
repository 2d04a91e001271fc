// The Date field's value (RFC 9110 5.6.7, IMF-fixdate), formatted once a second however many
// responses ask for it.
#pragma once

#include <array>
#include <ctime>
#include <string_view>

namespace cppasgi::http {

class DateCache {
 public:
  // "Sun, 06 Nov 1994 08:49:37 GMT" for `now` (seconds since the epoch); valid until the next call.
  std::string_view at(std::time_t now);

 private:
  std::time_t formatted_ = -1;
  std::array<char, 32> text_{};
};

}  // namespace cppasgi::http
