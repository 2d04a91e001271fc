// The value of the Date field (RFC 9110 5.6.7, IMF-fixdate), formatted at most once a second.
#pragma once

#include <array>
#include <ctime>
#include <string_view>

namespace cppasgi::http {

class DateCache {
 public:
  // Returns `now`, in seconds since the epoch, as "Sun, 06 Nov 1994 08:49:37 GMT". Valid until the
  // next call.
  std::string_view at(std::time_t now);

 private:
  std::time_t formatted_ = -1;
  std::array<char, 32> text_{};
};

}  // namespace cppasgi::http
