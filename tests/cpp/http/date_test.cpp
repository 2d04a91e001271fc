// IMF-fixdate (RFC 9110 5.6.7) and reason phrases (RFC 9110 15).
#include "server/http/date.h"

#include <ctime>
#include <string>

#include "support/catch.h"

using cppasgi::http::DateCache;

TEST_CASE("DateCache: the RFC's own example (RFC 9110 5.6.7)", "[http]") {
  DateCache cache;
  CHECK(cache.at(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(cache.at(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(cache.at(784111778) == "Sun, 06 Nov 1994 08:49:38 GMT");
}

TEST_CASE("DateCache: agrees with strftime over days and months (RFC 9110 5.6.7)", "[http]") {
  DateCache cache;
  for (std::time_t now = 0; now < 4'102'444'800; now += 8'640'123) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    char expected[64];
    std::strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    CHECK(cache.at(now) == expected);
  }
}
