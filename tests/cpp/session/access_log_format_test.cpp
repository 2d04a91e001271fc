// Formats of access log lines: atoms, and bytes of a client that could forge a line or a field.
#include "server/session/access_log_format.h"

#include <regex>
#include <string>

#include "support/catch.h"

using cppasgi::Address;
using cppasgi::http::RequestHead;
using cppasgi::session::AccessLogFormat;
using cppasgi::session::AccessRecord;

namespace {

const Address kClient{Address::Family::Tcp, "2001:db8::1", 49152};
constexpr std::time_t kTime = 1'000'000'000;  // 2001-09-09T01:46:40Z

std::string line(std::string_view format, std::string_view target = "/a?b=1",
                 std::string_view agent = "agent") {
  RequestHead head;
  head.begin_field();
  head.append_field_name("User-Agent");
  head.append_field_value(agent);
  std::string text;
  AccessLogFormat(format).append(
      text, {kClient, "GET", target, 200, 1234, &head, std::chrono::microseconds(2'034'567)},
      kTime);
  return text;
}

}  // namespace

TEST_CASE("AccessLogFormat: each atom is a part of the record", "[session][log]") {
  CHECK(line("%(h)s|%(l)s|%(u)s|%(r)s|%(m)s|%(U)s|%(q)s|%(H)s|%(s)s") ==
        "2001:db8::1|-|-|GET /a?b=1 HTTP/1.1|GET|/a|b=1|HTTP/1.1|200\n");
  CHECK(line("%(B)s %(b)s %(f)s %(a)s %({USER-agent}i)s %({x}i)s") ==
        "1234 1234 - agent agent -\n");
  CHECK(line("%(T)s %(L)s %(M)s %(D)s") == "2 2.034567 2034 2034567\n");
  CHECK(line("100%% %(p)s").starts_with("100% <"));
}

TEST_CASE("AccessLogFormat: every atom that the command line allows is known", "[session][log]") {
  for (const char atom : std::string("hlutrmUqHsBbfaTLMDpXc")) {
    const std::string format = std::string("%(") + atom + ")s";
    CHECK(line(format).find("%(") == std::string::npos);
  }
  CHECK(line("%(z)s %( %h %") == "%(z)s %( %h %\n");
}

TEST_CASE("AccessLogFormat: a client's bytes end neither field nor line", "[session][log]") {
  CHECK(line("\"%(r)s\" \"%(a)s\"", "/\"\\\xc3", "a\"\n\t\x7f") ==
        "\"GET /\\x22\\x5C\\xC3 HTTP/1.1\" \"a\\x22\\x0A\\x09\\x7F\"\n");
  const std::string json = line("json", "/\"\\\xc3", "a\"\n\t\x7f");
  CHECK(json.find(R"("path": "/\"\\\u00c3")") != std::string::npos);
  CHECK(json.find(R"("user_agent": "a\"\u000a\u0009\u007f")") != std::string::npos);
  CHECK(json.find('\n') == json.size() - 1);
}

TEST_CASE("AccessLogFormat: a response that was cut has a mark", "[session][log]") {
  const auto [format, expected] = GENERATE(table<std::string, std::string>({
      {"combined", "- - - [T] \"GET / HTTP/1.1\" 200 7 \"-\" \"-\" cut\n"},
      {"%(s)s %(X)s", "200 X\n"},
      {"%(s)s", "200\n"},  // as it was asked for
  }));
  const RequestHead head;
  std::string text;
  AccessRecord record{{Address::Family::Unix, "", 0}, "GET", "/", 200, 7, &head};
  record.ending = cppasgi::session::Ending::Cut;
  AccessLogFormat(format).append(text, record, kTime);
  CHECK(std::regex_replace(text, std::regex(R"(\[[^\]]*\])"), "[T]") == expected);
  text.clear();
  AccessLogFormat("json").append(text, record, kTime);
  CHECK(text.find(R"("status": 200, "cut": true)") != std::string::npos);
}

TEST_CASE("AccessLogFormat: a WebSocket's end has its close code", "[session][log]") {
  std::string text;
  AccessRecord record{kClient, "WSDISCONNECT", "/chat"};
  record.close_code = 1006;
  AccessLogFormat("%(m)s %(s)s %(c)s").append(text, record, kTime);
  CHECK(text == "WSDISCONNECT - 1006\n");
  text.clear();
  AccessLogFormat("json").append(text, record, kTime);
  CHECK(text.find(R"("status": null, "cut": false, "code": 1006)") != std::string::npos);
}

TEST_CASE("AccessLogFormat: JSON has all keys, null for what isn't known", "[session][log]") {
  std::string text;
  AccessLogFormat("json").append(text, {{Address::Family::Unix, "", 0}, "", "", 400}, kTime);
  CHECK(text ==
        "{\"time\": \"2001-09-09T01:46:40Z\", \"client\": null, \"method\": null, \"path\": null, "
        "\"query\": \"\", \"protocol\": null, \"status\": 400, \"cut\": false, \"code\": null, "
        "\"bytes\": 0, "
        "\"duration\": 0.000000, \"referer\": null, \"user_agent\": null, \"request_id\": null, "
        "\"traceparent\": null}\n");
}
