// Compressed messages on an open WebSocket (RFC 7692 sections 6 and 7.2) as a table like that of
// websocket_protocol_test.cpp: each row runs at every split of its bytes.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/websocket/websocket_protocol.h"
#include "support/catch.h"
#include "support/websocket_frames.h"
#include "websocket/transcript.h"

using namespace cppasgi;
using namespace cppasgi::test;
using namespace std::string_literals;

namespace {

constexpr std::size_t kLimit = 1000;
constexpr unsigned kRsv1 = 4;
const websocket::DeflateParameters kTakeover{};
const websocket::DeflateParameters kNoTakeover{true, true, {}, {}};

struct Rule {
  std::string_view name;
  std::string input;
  Transcript expected;
};

Transcript failure(unsigned code, const std::string& detail) {
  return {{"failed " + std::to_string(code) + " " + detail},
          server_frame(8, close_payload(code, detail))};
}

std::string compressed_frame(std::string_view payload, unsigned opcode = 1, bool final = true) {
  return encode({.opcode = opcode, .payload = payload, .final = final, .reserved_bits = kRsv1});
}

std::string fragment(std::string_view payload) {
  return encode({.opcode = 0, .payload = payload, .final = false});
}

std::string last_fragment(std::string_view payload) {
  return encode({.opcode = 0, .payload = payload});
}

std::string deflated(std::string_view text, int level = 6) {
  websocket::Compressor compressor(level, 15, 8);
  std::vector<char> buffer(100);
  return std::string(compressor.compress(text, buffer));
}

// The samples of RFC 7692 7.2.3.
const std::string kHello = "\xf2\x48\xcd\xc9\xc9\x07\x00"s;
const std::string kHelloAgain = "\xf2\x00\x11\x00\x00"s;
const std::string kHelloStored = "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"s;
const std::string kHelloFinal = "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s;
const std::string kHelloTwoBlocks = "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"s;
const std::string kInvalid = "invalid compressed data";
const std::string kBadUtf8 = "invalid UTF-8 in a text message";

std::vector<Rule> message_rules() {
  return {
      {"one compressed block (7.2.3.1)", compressed_frame(kHello), {{"text Hello"}, ""}},
      {"in two fragments, RSV1 on the first (7.2.3.1)",
       compressed_frame(kHello.substr(0, 3), 1, false) + last_fragment(kHello.substr(3)),
       {{"text Hello"}, ""}},
      {"a block without compression (7.2.3.3)",
       compressed_frame(kHelloStored),
       {{"text Hello"}, ""}},
      {"a block with BFINAL (7.2.3.4)",
       compressed_frame(kHelloFinal) + compressed_frame(kHelloFinal) + compressed_frame(kHello),
       {{"text Hello", "text Hello", "text Hello"}, ""}},
      {"two blocks with BFINAL in one message",
       compressed_frame(kHelloFinal.substr(0, 7) + kHelloFinal),
       {{"text HelloHello"}, ""}},
      {"two blocks (7.2.3.5)", compressed_frame(kHelloTwoBlocks), {{"text Hello"}, ""}},
      {"an empty message (7.2.3.6)", compressed_frame("\0"s, 2), {{"binary "}, ""}},
      {"empty fragments",
       compressed_frame("", 2, false) + fragment(kHello) + fragment("") + last_fragment(""),
       {{"binary Hello"}, ""}},
      {"control frames between fragments",
       compressed_frame(kHello.substr(0, 3), 1, false) + ping_frame("p") +
           fragment(kHello.substr(3)) + pong_frame("q") + last_fragment(""),
       {{"ping", "pong q", "text Hello"}, server_frame(10, "p")}},
      {"messages without RSV1 in between (6)",
       compressed_frame(kHello) + text_frame("plain") + compressed_frame(kHello, 2),
       {{"text Hello", "text plain", "binary Hello"}, ""}},
      {"a message of the largest size that doesn't compress",
       compressed_frame(deflated(std::string(kLimit, 'x'), 0), 2),
       {{"binary " + std::string(kLimit, 'x')}, ""}},
  };
}

std::vector<Rule> failure_rules() {
  const std::string zeros(kLimit + 1, '\0');
  return {
      {"RSV1 on a continuation (6.1)",
       compressed_frame(kHello, 1, false) + compressed_frame("x", 0),
       failure(1002, "reserved bit set")},
      {"RSV1 on a control frame (6.1)", encode({.opcode = 9, .reserved_bits = kRsv1}),
       failure(1002, "reserved bit set")},
      {"RSV2", encode({.reserved_bits = 2}), failure(1002, "reserved bit set")},
      {"RSV1 and RSV3", encode({.reserved_bits = 5}), failure(1002, "reserved bit set")},
      {"a reserved block type", compressed_frame("\xff\xff\xff"s), failure(1007, kInvalid)},
      {"a look back before the start", compressed_frame(kHelloAgain), failure(1007, kInvalid)},
      {"a message without any payload (7.2.3.6)", compressed_frame(""), failure(1007, kInvalid)},
      {"data that breaks off", compressed_frame(kHello.substr(0, 5)), failure(1007, kInvalid)},
      {"data that breaks off inside the last flush", compressed_frame(kHello + "\0"s),
       failure(1007, kInvalid)},
      {"text that isn't UTF-8 once inflated", compressed_frame(deflated("caf\xe9")),
       failure(1007, kBadUtf8)},
      {"and at once, not at the end",
       compressed_frame(deflated("\xff" + std::string(100, 'x')), 1, false),
       failure(1007, kBadUtf8)},
      {"half a character at the end", compressed_frame(deflated("\xe2\x82")),
       failure(1007, kBadUtf8)},
      {"more than the limit once inflated", compressed_frame(deflated(zeros), 2),
       failure(1009, "message too big")},
      {"and at once, not at the end", compressed_frame(deflated(zeros), 2, false),
       failure(1009, "message too big")},
      {"more than the limit in fragments",
       compressed_frame(deflated(zeros).substr(0, 5), 2, false) +
           last_fragment(deflated(zeros).substr(5)),
       failure(1009, "message too big")},
      {"a frame longer than deflate ever makes one", compressed_frame(std::string(1300, '\0'), 2),
       failure(1009, "frame too big")},
  };
}

}  // namespace

TEST_CASE("WebSocketProtocol: compressed messages (RFC 7692)", "[websocket][deflate]") {
  const auto& answer = GENERATE(kTakeover, kNoTakeover);
  for (const auto& rules : {message_rules(), failure_rules()}) {
    for (const Rule& rule : rules) {
      CAPTURE(rule.name);
      for_every_split(rule.input, [&rule, &answer](const Pieces& pieces) {
        const Transcript found = run_websocket({kLimit, kLimit}, pieces, answer);
        if (!(found == rule.expected)) {
          CHECK(found.events == rule.expected.events);
          CHECK(found.sent == rule.expected.sent);
        }
      });
    }
  }
}

TEST_CASE("WebSocketProtocol: a message refers to earlier ones only if agreed (RFC 7692 7.2.3.2)",
          "[websocket][deflate]") {
  const std::string input = compressed_frame(kHello) + compressed_frame(kHelloAgain);
  for_every_split(input, [](const Pieces& pieces) {
    const WebSocketLimits limits{kLimit, kLimit};
    CHECK(run_websocket(limits, pieces, kTakeover) == Transcript{{"text Hello", "text Hello"}, ""});
    Transcript expected = failure(1007, kInvalid);
    expected.events.insert(expected.events.begin(), "text Hello");
    CHECK(run_websocket(limits, pieces, kNoTakeover) == expected);
  });
}

TEST_CASE("WebSocketProtocol: RSV1 without the agreement is 1002 (RFC 6455 5.2)",
          "[websocket][deflate]") {
  CHECK(run_websocket({kLimit, kLimit}, {compressed_frame(kHello)}) ==
        failure(1002, "reserved bit set"));
}

TEST_CASE("WebSocketProtocol: messages are sent compressed, with RSV1; control frames aren't",
          "[websocket][deflate]") {
  const WebSocketLimits limits;
  websocket::DeflatePool pool({});
  websocket::MessageMemory memory(0);
  websocket::WebSocketProtocol protocol(limits, memory);
  protocol.enable_deflate(pool.accept({}));
  const std::string text(300, 'x');
  const std::string payload = deflated(text, 1);
  REQUIRE(payload.size() < 126);
  protocol.send_text(text);
  protocol.send_binary(text);
  protocol.send_text("short");
  protocol.send_ping("p");
  protocol.send_close(1000, {});
  protocol.send_text(text);  // too late
  const auto sent = [](unsigned opcode, std::string_view bytes) {
    return encode({.opcode = opcode, .payload = bytes, .reserved_bits = kRsv1, .masked = false});
  };
  CHECK(protocol.bytes_to_send().take() == sent(1, payload) + sent(2, payload) +
                                               server_frame(1, "short") + server_frame(9, "p") +
                                               server_frame(8, close_payload(1000)));
}
