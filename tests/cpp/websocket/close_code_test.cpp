// The whole range of close codes against the ranges of RFC 6455 7.4 and the IANA registry.
#include "server/websocket/close_code.h"

#include "support/catch.h"

using cppasgi::websocket::is_sendable_close_code;

TEST_CASE("is_sendable_close_code: only registered and private codes may be sent (RFC 6455 7.4)",
          "[websocket][close]") {
  const auto expected = [](int code) {
    if (code >= 3000 && code <= 4999) return true;
    switch (code) {
      case 1000:
      case 1001:
      case 1002:
      case 1003:
      case 1007:
      case 1008:
      case 1009:
      case 1010:
      case 1011:
      case 1012:
      case 1013:
      case 1014:
        return true;
      default:
        return false;
    }
  };
  int wrong = 0;
  for (int code = -1; code <= 70000; ++code) {
    if (is_sendable_close_code(code) != expected(code)) ++wrong;
  }
  CHECK(wrong == 0);
}
