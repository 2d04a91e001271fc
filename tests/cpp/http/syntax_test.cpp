// Character rules of RFC 9110 section 5, over all 256 bytes where a table decides.
#include "server/http/syntax.h"

#include <string>

#include "support/catch.h"

using namespace cppasgi::http;

TEST_CASE("is_token: exactly the tchars (RFC 9110 5.6.2)", "[http]") {
  const std::string_view others = "!#$%&'*+-.^_`|~";
  for (int code = 0; code < 256; ++code) {
    const char byte = static_cast<char>(code);
    const bool is_tchar = (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') ||
                          (code >= 'A' && code <= 'Z') ||
                          (code != 0 && others.find(byte) != std::string_view::npos);
    CAPTURE(code);
    CHECK(is_token(std::string(1, byte)) == is_tchar);
    CHECK(is_token(std::string("a") + byte + "b") == is_tchar);
  }
  CHECK_FALSE(is_token(""));
}

TEST_CASE("is_field_value: no control character but the tab (RFC 9110 5.5)", "[http]") {
  for (int code = 0; code < 256; ++code) {
    const bool allowed = code == '\t' || (code >= 0x20 && code != 0x7f);
    CAPTURE(code);
    CHECK(is_field_value(std::string("a") + static_cast<char>(code)) == allowed);
  }
  CHECK(is_field_value(""));
}

TEST_CASE("equals_ignoring_case: ASCII letters only (RFC 9110 5.1)", "[http]") {
  CHECK(equals_ignoring_case("", ""));
  CHECK(equals_ignoring_case("Keep-ALIVE", "keep-alive"));
  CHECK_FALSE(equals_ignoring_case("close", "closed"));
  CHECK_FALSE(equals_ignoring_case("[", "{"));
  CHECK_FALSE(equals_ignoring_case("@", "`"));
  CHECK_FALSE(equals_ignoring_case("\xc9", "\xe9"));
}

TEST_CASE("trim: spaces and tabs around, nothing else (RFC 9110 5.6.3)", "[http]") {
  CHECK(trim(" \ta b\t ") == "a b");
  CHECK(trim(" \t ").empty());
  CHECK(trim("\va\r\n") == "\va\r\n");
}

TEST_CASE("list_contains: whole members of a list (RFC 9110 5.6.1)", "[http]") {
  CHECK(list_contains("close", "close"));
  CHECK(list_contains("a , \tCLOSE,b", "close"));
  CHECK(list_contains(",,close", "close"));
  CHECK_FALSE(list_contains("", "close"));
  CHECK_FALSE(list_contains("closed, not-close, close x", "close"));
}
