// The rules of RFC 6455 sections 5, 7 and 8 as a table: bytes of a client, the events they mean and
// the frames they are answered with. Each row runs at every split of its bytes and is compared with
// wslay's own event layer.
#include "server/websocket/websocket_protocol.h"

#include <string>
#include <string_view>
#include <vector>

#include "support/catch.h"
#include "support/websocket_frames.h"
#include "websocket/transcript.h"
#include "websocket/wslay_reference.h"

using namespace cppasgi;
using namespace cppasgi::test;
using namespace std::string_literals;

namespace {

constexpr std::size_t kLimit = 1000;

struct Rule {
  std::string_view name;
  std::string input;
  Transcript expected;
};

std::string failure_frame(unsigned code, std::string_view detail) {
  return server_frame(8, close_payload(code, detail));
}

// The input fails with this and says so to the client.
Transcript failure(unsigned code, const std::string& detail) {
  return {{"failed " + std::to_string(code) + " " + detail}, failure_frame(code, detail)};
}

std::string fragment(unsigned opcode, std::string_view payload) {
  return encode({.opcode = opcode, .payload = payload, .final = false});
}

std::string last_fragment(std::string_view payload) {
  return encode({.opcode = 0, .payload = payload});
}

const std::string kKosme = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";  // Autobahn's word
const std::string kLong(300, 'x');
const std::string kBadUtf8 = "invalid UTF-8 in a text message";
const std::string kNotMinimal = "frame length not in its shortest form";
const std::string kBadControl = "control frame fragmented or longer than 125 bytes";

std::vector<Rule> message_rules() {
  return {
      {"an unfragmented text message (5.6)", text_frame("Hello"), {{"text Hello"}, ""}},
      {"an unfragmented binary message (5.6)",
       binary_frame("\x00\xff"s),
       {{"binary \x00\xff"s}, ""}},
      {"an empty text message (5.6)", text_frame(""), {{"text "}, ""}},
      {"an empty binary message (5.6)", binary_frame(""), {{"binary "}, ""}},
      {"a 16-bit length (5.2)", binary_frame(kLong), {{"binary " + kLong}, ""}},
      {"text beyond ASCII (8.1)", text_frame(kKosme), {{"text " + kKosme}, ""}},
      {"messages in a row",
       text_frame("a") + binary_frame("b") + text_frame("c"),
       {{"text a", "binary b", "text c"}, ""}},
      {"a fragmented text message (5.4)",
       fragment(1, "Hel") + last_fragment("lo"),
       {{"text Hello"}, ""}},
      {"three fragments, some empty (5.4)",
       fragment(2, "") + fragment(0, "b") + last_fragment(""),
       {{"binary b"}, ""}},
      {"a character over two fragments (5.6)",
       fragment(1, kKosme.substr(0, 3)) + last_fragment(kKosme.substr(3)),
       {{"text " + kKosme}, ""}},
      {"a fragmented message, then a plain one",
       fragment(1, "a") + last_fragment("b") + text_frame("c"),
       {{"text ab", "text c"}, ""}},
      {"two fragmented messages",
       fragment(1, "a") + last_fragment("b") + fragment(2, "c") + last_fragment("d"),
       {{"text ab", "binary cd"}, ""}},
      {"a ping is answered with its payload (5.5.2)",
       ping_frame("p"),
       {{"ping"}, server_frame(10, "p")}},
      {"a ping of 125 bytes (5.5)",
       ping_frame(kLong.substr(0, 125)),
       {{"ping"}, server_frame(10, kLong.substr(0, 125))}},
      {"pings are answered in order (5.5.3)",
       ping_frame("1") + text_frame("x") + ping_frame("") + ping_frame("3"),
       {{"ping", "text x", "ping", "ping"},
        server_frame(10, "1") + server_frame(10, "") + server_frame(10, "3")}},
      {"a ping between fragments (5.4)",
       fragment(1, "a") + ping_frame("p") + last_fragment("b"),
       {{"ping", "text ab"}, server_frame(10, "p")}},
      {"an unasked pong (5.5.3)", pong_frame("p") + pong_frame(""), {{"pong p", "pong "}, ""}},
      {"a close frame is answered with its code (5.5.1)",
       close_frame(1000, "bye"),
       {{"close 1000 bye"}, server_frame(8, close_payload(1000))}},
      {"a close frame without a code (7.1.5)",
       encode({.opcode = 8}),
       {{"close 1005 "}, server_frame(8, "")}},
      {"a close reason beyond ASCII (5.5.1)",
       close_frame(4999, kKosme),
       {{"close 4999 " + kKosme}, server_frame(8, close_payload(4999))}},
      {"the longest close reason (5.5)",
       close_frame(3000, kLong.substr(0, 123)),
       {{"close 3000 " + kLong.substr(0, 123)}, server_frame(8, close_payload(3000))}},
      {"bytes after a close frame are ignored (5.5.1)",
       close_frame(1000) + text_frame("late") + ping_frame("late"),
       {{"close 1000 "}, server_frame(8, close_payload(1000))}},
      {"a close frame inside a fragmented message (5.4)",
       fragment(1, "a") + close_frame(1001),
       {{"close 1001 "}, server_frame(8, close_payload(1001))}},
      {"registered close codes beyond RFC 6455 (7.4.2)",
       close_frame(1012),
       {{"close 1012 "}, server_frame(8, close_payload(1012))}},
      {"a message of exactly the limit (10.4)",
       binary_frame(std::string(kLimit, 'x')),
       {{"binary " + std::string(kLimit, 'x')}, ""}},
      {"fragments of exactly the limit (10.4)",
       fragment(2, std::string(kLimit - 1, 'x')) + last_fragment("y"),
       {{"binary " + std::string(kLimit - 1, 'x') + "y"}, ""}},
  };
}

std::vector<Rule> failure_rules() {
  const std::string half_close = encode({.opcode = 8, .payload = "\x03"});
  const auto refused_code = [](unsigned code) {
    return Rule{"a close code that may not be sent (7.4.1)", close_frame(code),
                failure(1002, "invalid close code")};
  };
  return {
      {"a frame without a mask (5.1)", encode({.payload = "a", .masked = false}),
       failure(1002, "frame not masked")},
      {"an empty frame without a mask (5.1)", encode({.masked = false}),
       failure(1002, "frame not masked")},
      {"RSV1 without an extension (5.2)", encode({.payload = "a", .reserved_bits = 4}),
       failure(1002, "reserved bit set")},
      {"RSV2 (5.2)", encode({.payload = "a", .reserved_bits = 2}),
       failure(1002, "reserved bit set")},
      {"RSV3 on a ping (5.2)", encode({.opcode = 9, .reserved_bits = 1}),
       failure(1002, "reserved bit set")},
      {"a reserved data opcode (5.2)", encode({.opcode = 3, .payload = "a"}),
       failure(1002, "reserved opcode")},
      {"the last reserved data opcode (5.2)", encode({.opcode = 7}),
       failure(1002, "reserved opcode")},
      {"a reserved control opcode (5.2)", encode({.opcode = 11}), failure(1002, "reserved opcode")},
      {"the last reserved control opcode (5.2)", encode({.opcode = 15, .payload = "a"}),
       failure(1002, "reserved opcode")},
      {"a fragmented ping (5.5)", fragment(9, "a"), failure(1002, kBadControl)},
      {"a fragmented close frame (5.5)", fragment(8, close_payload(1000)),
       failure(1002, kBadControl)},
      {"a ping of 126 bytes (5.5)", ping_frame(kLong.substr(0, 126)), failure(1002, kBadControl)},
      {"a close frame of 126 bytes (5.5)", close_frame(1000, kLong.substr(0, 124)),
       failure(1002, kBadControl)},
      {"a small length in two bytes (5.2)",
       encode({.payload = "a", .length_form = LengthForm::TwoBytes}), failure(1002, kNotMinimal)},
      {"a small length in eight bytes (5.2)",
       encode({.payload = "a", .length_form = LengthForm::EightBytes}), failure(1002, kNotMinimal)},
      {"a middle length in eight bytes (5.2)",
       encode({.opcode = 2, .payload = kLong, .length_form = LengthForm::EightBytes}),
       failure(1002, kNotMinimal)},
      {"a length with the top bit set (5.2)", encode({.announced_bytes = 1ULL << 63}),
       failure(1002, kNotMinimal)},
      {"a continuation of nothing (5.4)", last_fragment("a"),
       failure(1002, "continuation without a message")},
      {"a continuation after a message ended (5.4)",
       fragment(1, "a") + last_fragment("b") + last_fragment("c"),
       {{"text ab", "failed 1002 continuation without a message"},
        failure_frame(1002, "continuation without a message")}},
      {"a continuation after a plain message (5.4)",
       text_frame("a") + fragment(0, "b"),
       {{"text a", "failed 1002 continuation without a message"},
        failure_frame(1002, "continuation without a message")}},
      {"a text frame inside a fragmented message (5.4)", fragment(1, "a") + text_frame("b"),
       failure(1002, "new message inside a fragmented one")},
      {"a binary fragment inside a fragmented message (5.4)", fragment(1, "a") + fragment(2, "b"),
       failure(1002, "new message inside a fragmented one")},
      {"bytes after a failure are ignored (7.1.7)", encode({.opcode = 3}) + text_frame("late"),
       failure(1002, "reserved opcode")},
      {"bad UTF-8 in a message (8.1)", text_frame("ok\xff"), failure(1007, kBadUtf8)},
      {"a message that ends inside a character (8.1)", text_frame("\xce"), failure(1007, kBadUtf8)},
      {"a surrogate (8.1)", text_frame("\xed\xa0\x80"), failure(1007, kBadUtf8)},
      {"an overlong form (8.1)", text_frame("\xc0\xaf"), failure(1007, kBadUtf8)},
      {"bad UTF-8 in the first fragment, before the last came (8.1)", fragment(1, "a\x80"),
       failure(1007, kBadUtf8)},
      {"bad UTF-8 over two fragments (8.1)", fragment(1, "\xe1") + fragment(0, "a"),
       failure(1007, kBadUtf8)},
      {"fragments that end inside a character (8.1)", fragment(1, "a") + last_fragment("\xe1\xbd"),
       failure(1007, kBadUtf8)},
      {"a close frame with half a code (5.5.1)", half_close,
       failure(1002, "close frame with half a code")},
      refused_code(0),
      refused_code(999),
      refused_code(1004),
      refused_code(1005),
      refused_code(1006),
      refused_code(1015),
      refused_code(1016),
      refused_code(2999),
      refused_code(5000),
      refused_code(65535),
      {"bad UTF-8 in a close reason (8.1)", close_frame(1000, "a\xff"),
       failure(1007, "invalid UTF-8 in a close reason")},
      {"a close reason that ends inside a character (8.1)", close_frame(1000, "\xce"),
       failure(1007, "invalid UTF-8 in a close reason")},
      {"a frame over the limit, known by its header (7.4.1)",
       encode({.opcode = 2, .announced_bytes = kLimit + 1}), failure(1009, "frame too big")},
      {"the longest legal length (5.2)", encode({.opcode = 1, .announced_bytes = (1ULL << 63) - 1}),
       failure(1009, "frame too big")},
      {"fragments over the limit, known by a header (7.4.1)",
       fragment(2, std::string(600, 'x')) + encode({.opcode = 0, .announced_bytes = 401}),
       failure(1009, "message too big")},
  };
}

void check_at_every_split(const Rule& rule) {
  INFO(rule.name);
  const WebSocketLimits limits{kLimit, kLimit};
  for_every_split(rule.input, [&](const Pieces& pieces) {
    const Transcript found = run_websocket(limits, pieces);
    if (found == rule.expected) return;
    CAPTURE(pieces.size(), pieces.front().size());
    CHECK(found.events == rule.expected.events);
    CHECK(found.sent == rule.expected.sent);
  });
  CHECK(run_websocket(limits, {rule.input}) == rule.expected);
  CHECK(difference_from_wslay(kLimit, rule.input) == "");
}

}  // namespace

TEST_CASE("WebSocketProtocol: what RFC 6455 allows becomes events (RFC 6455 5, 7)",
          "[websocket][rfc6455]") {
  for (const Rule& rule : message_rules()) check_at_every_split(rule);
}

TEST_CASE("WebSocketProtocol: what RFC 6455 forbids fails with its close code (RFC 6455 7.1.7)",
          "[websocket][rfc6455]") {
  for (const Rule& rule : failure_rules()) check_at_every_split(rule);
}

TEST_CASE("WebSocketProtocol: every rule holds after earlier traffic too (RFC 6455 5.4)",
          "[websocket][rfc6455]") {
  const std::string before =
      fragment(1, kKosme) + ping_frame("p") + last_fragment("") + binary_frame(kLong);
  const std::vector<std::string> events = {"ping", "text " + kKosme, "binary " + kLong};
  for (const auto& rules : {message_rules(), failure_rules()}) {
    for (Rule rule : rules) {
      rule.input.insert(0, before);
      rule.expected.events.insert(rule.expected.events.begin(), events.begin(), events.end());
      rule.expected.sent.insert(0, server_frame(10, "p"));
      INFO(rule.name);
      const WebSocketLimits limits{kLimit, kLimit};
      CHECK(run_websocket(limits, {rule.input}) == rule.expected);
      Pieces bytes;
      for (std::size_t i = 0; i < rule.input.size(); ++i)
        bytes.push_back(std::string_view(rule.input).substr(i, 1));
      CHECK(run_websocket(limits, bytes) == rule.expected);
      CHECK(difference_from_wslay(kLimit, rule.input) == "");
    }
  }
}
