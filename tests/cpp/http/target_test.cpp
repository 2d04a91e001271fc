// Request targets taken apart (RFC 9112 3.2, RFC 3986).
#include "server/http/target.h"

#include "support/catch.h"

using namespace cppasgi::http;

TEST_CASE("split_target: each form of a target (RFC 9112 3.2)", "[http]") {
  struct Row {
    const char* target;
    const char* raw_path;
    const char* query;
  };
  const auto row = GENERATE(values<Row>({
      {"/", "/", ""},
      {"/a%20b?x=%41&y", "/a%20b", "x=%41&y"},
      {"/a?", "/a", ""},
      {"/a?b?c", "/a", "b?c"},
      {"//host/a", "//host/a", ""},
      {"/http://x/?q", "/http://x/", "q"},
      {"http://host/a/b?c", "/a/b", "c"},
      {"http://host:80", "/", ""},
      {"http://host?q=/", "/", "q=/"},
      {"HTTPS://[::1]:8000/x", "/x", ""},
      {"*", "*", ""},
  }));
  CAPTURE(row.target);
  const TargetParts parts = split_target(row.target);
  CHECK(parts.raw_path == row.raw_path);
  CHECK(parts.query == row.query);
}

TEST_CASE("percent_decode: two hex digits after a percent sign, else as sent (RFC 3986 2.1)",
          "[http]") {
  const auto [encoded, expected] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {"/plain", "/plain"},
      {"/a%20b", "/a b"},
      {"%41%7a%2F", "Az/"},
      {"%c3%A9", "\xc3\xa9"},
      {"%zz%4", "%zz%4"},
      {"%%41%", "%A%"},
      {"%2541", "%41"},
      {"%4g%g4", "%4g%g4"},
      {"a+b", "a+b"},
      {"%00", std::string(1, '\0')},
  }));
  CAPTURE(encoded);
  std::string decoded = "overwritten";
  percent_decode(encoded, decoded);
  CHECK(decoded == expected);
}
