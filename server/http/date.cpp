// Formats IMF-fixdate by hand: strftime's names depend on the locale. Loop thread only.
#include "server/http/date.h"

namespace cppasgi::http {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::size_t kSize = 29;

char* put(char* to, std::string_view text) { return to + text.copy(to, text.size()); }

char* put_two_digits(char* to, int number) {
  *to++ = static_cast<char>('0' + number / 10 % 10);
  *to++ = static_cast<char>('0' + number % 10);
  return to;
}

}  // namespace

std::string_view DateCache::at(std::time_t now) {
  if (now != formatted_) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    const int year = parts.tm_year + 1900;
    char* to = put(text_.data(), kDays[static_cast<std::size_t>(parts.tm_wday)]);
    to = put_two_digits(put(to, ", "), parts.tm_mday);
    to = put(put(put(to, " "), kMonths[static_cast<std::size_t>(parts.tm_mon)]), " ");
    to = put_two_digits(put_two_digits(to, year / 100), year % 100);
    to = put_two_digits(put(to, " "), parts.tm_hour);
    to = put_two_digits(put(to, ":"), parts.tm_min);
    to = put_two_digits(put(to, ":"), parts.tm_sec);
    put(to, " GMT");
    formatted_ = now;
  }
  return {text_.data(), kSize};
}

}  // namespace cppasgi::http
