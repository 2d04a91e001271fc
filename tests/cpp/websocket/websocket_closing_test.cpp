// What a server sends by itself, the closing handshake from our side, limits switched off and one
// by one, and where events lie in memory (RFC 6455 sections 5.1, 5.5.1 and 7).
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/websocket/websocket_protocol.h"
#include "support/catch.h"
#include "support/websocket_frames.h"
#include "websocket/transcript.h"

using namespace cppasgi;
using namespace cppasgi::test;
using cppasgi::websocket::WebSocketProtocol;

TEST_CASE("WebSocketProtocol: frames of each length form go out unmasked (RFC 6455 5.1, 5.2)",
          "[websocket][send]") {
  const WebSocketLimits limits;
  for (const std::size_t size : {0U, 1U, 125U, 126U, 8191U, 8192U, 65535U, 65536U, 100000U}) {
    websocket::MessageMemory memory(0);
    WebSocketProtocol protocol(limits, memory);
    const std::string payload(size, 'x');
    // A long payload is left to the caller.
    std::string_view rest = protocol.send_text(payload);
    CHECK(rest.size() == (size < 8192 ? 0 : size));
    CHECK((protocol.bytes_to_send().take().append(rest) == server_frame(1, payload)));
    rest = protocol.send_binary(payload);
    CHECK((protocol.bytes_to_send().take().append(rest) == server_frame(2, payload)));
  }
}

TEST_CASE("WebSocketProtocol: pings go out in order with messages (RFC 6455 5.5.2)",
          "[websocket][send]") {
  const WebSocketLimits limits;
  websocket::MessageMemory memory(0);
  WebSocketProtocol protocol(limits, memory);
  protocol.send_text("a");
  protocol.send_ping("");
  protocol.send_ping("token");
  protocol.send_binary("b");
  CHECK(protocol.bytes_to_send().take() == server_frame(1, "a") + server_frame(9, "") +
                                               server_frame(9, "token") + server_frame(2, "b"));
}

TEST_CASE("WebSocketProtocol: nothing follows our close frame (RFC 6455 5.5.1)",
          "[websocket][close]") {
  const WebSocketLimits limits;
  websocket::MessageMemory memory(0);
  WebSocketProtocol protocol(limits, memory);
  protocol.send_close(1001, "going");
  CHECK(protocol.close_sent());
  CHECK_FALSE(protocol.close_received());
  protocol.send_text("late");
  protocol.send_ping("late");
  protocol.send_close(1000, "again");
  Transcript transcript;
  feed_websocket(protocol, ping_frame("p"), transcript);
  CHECK(protocol.bytes_to_send().take() == server_frame(8, close_payload(1001, "going")));
}

TEST_CASE("WebSocketProtocol: the peer's answer ends a closing handshake of ours (RFC 6455 7.1.2)",
          "[websocket][close]") {
  const WebSocketLimits limits;
  for_every_split(text_frame("crossed") + close_frame(1001, "ok"), [&](const Pieces& pieces) {
    websocket::MessageMemory memory(0);
    WebSocketProtocol protocol(limits, memory);
    protocol.send_close(1001, "");
    protocol.bytes_to_send().take();
    Transcript transcript;
    for (const std::string_view piece : pieces) feed_websocket(protocol, piece, transcript);
    CHECK(transcript.events == std::vector<std::string>{"text crossed", "close 1001 ok"});
    CHECK(protocol.close_received());
    CHECK(protocol.bytes_to_send().empty());
  });
}

TEST_CASE("WebSocketProtocol: a failure after our close frame sends no second one (RFC 6455 5.5.1)",
          "[websocket][close]") {
  const WebSocketLimits limits;
  websocket::MessageMemory memory(0);
  WebSocketProtocol protocol(limits, memory);
  protocol.send_close(1000, "");
  protocol.bytes_to_send().take();
  Transcript transcript;
  feed_websocket(protocol, encode({.opcode = 3}), transcript);
  CHECK(transcript.events == std::vector<std::string>{"failed 1002 reserved opcode"});
  CHECK_FALSE(protocol.close_received());
  CHECK(protocol.bytes_to_send().empty());
}

TEST_CASE("WebSocketProtocol: code 1005 sends an empty close frame (RFC 6455 7.4.1)",
          "[websocket][close]") {
  const WebSocketLimits limits;
  websocket::MessageMemory memory(0);
  WebSocketProtocol protocol(limits, memory);
  protocol.send_close(1005, "never sent");
  CHECK(protocol.bytes_to_send().take() == server_frame(8, ""));
}

TEST_CASE(
    "WebSocketProtocol: a long close reason is cut between characters at 123 bytes (RFC 6455 5.5)",
    "[websocket][close]") {
  const WebSocketLimits limits;
  const std::string euro = "\xe2\x82\xac";
  for (const std::size_t before : {120U, 121U, 122U, 123U}) {
    websocket::MessageMemory memory(0);
    WebSocketProtocol protocol(limits, memory);
    const std::string start(before, 'x');
    protocol.send_close(1000, start + euro + "tail");
    const std::string kept = before == 120 ? start + euro : start;
    CHECK(protocol.bytes_to_send().take() == server_frame(8, close_payload(1000, kept)));
  }
}

TEST_CASE("WebSocketProtocol: limits of zero are none (RFC 6455 10.4)", "[websocket][limits]") {
  const WebSocketLimits limits{0, 0};
  const std::string payload(3'000'000, 'x');
  const Transcript whole = run_websocket(limits, {binary_frame(payload)});
  CHECK((whole.events == std::vector<std::string>{"binary " + payload}));
  const std::string fragments = encode({.opcode = 2, .payload = payload, .final = false}) +
                                encode({.opcode = 0, .payload = payload});
  CHECK((run_websocket(limits, {fragments}).events ==
         std::vector<std::string>{"binary " + payload + payload}));
  // The longest lengths that can be announced don't overflow a sum.
  const std::string huge = encode({.opcode = 2, .payload = "a", .final = false}) +
                           encode({.opcode = 0, .announced_bytes = (1ULL << 63) - 1});
  CHECK(run_websocket(limits, {huge}).events.empty());
}

TEST_CASE("WebSocketProtocol: the frame limit and the message limit are separate (RFC 6455 10.4)",
          "[websocket][limits]") {
  const std::string three = encode({.opcode = 2, .payload = "aaa", .final = false}) +
                            encode({.opcode = 0, .payload = "bbb", .final = false}) +
                            encode({.opcode = 0, .payload = "ccc"});
  CHECK(run_websocket({9, 3}, {three}).events == std::vector<std::string>{"binary aaabbbccc"});
  CHECK(run_websocket({8, 3}, {three}).events ==
        std::vector<std::string>{"failed 1009 message too big"});
  CHECK(run_websocket({9, 2}, {three}).events ==
        std::vector<std::string>{"failed 1009 frame too big"});
  CHECK(run_websocket({2, 0}, {binary_frame("abc")}).events ==
        std::vector<std::string>{"failed 1009 message too big"});
}

TEST_CASE("WebSocketProtocol: a plain message is an event inside the input",
          "[websocket][memory]") {
  const WebSocketLimits limits;
  websocket::MessageMemory memory(0);
  WebSocketProtocol protocol(limits, memory);
  std::string input = text_frame("first") + binary_frame("second");
  protocol.receive_data(input);
  REQUIRE(protocol.events().size() == 2);
  CHECK(std::get<websocket::TextReceived>(protocol.events()[0]).text.data() == input.data() + 6);
  CHECK(std::get<websocket::BinaryReceived>(protocol.events()[1]).bytes.data() ==
        input.data() + 17);
}

TEST_CASE("WebSocketProtocol: all events of one call stay valid until the next",
          "[websocket][memory]") {
  const WebSocketLimits limits;
  websocket::MessageMemory memory(0);
  WebSocketProtocol protocol(limits, memory);
  std::string input;
  for (const char letter : {'a', 'b', 'c', 'd'}) {
    const std::string payload(1, letter);
    input += encode({.opcode = 1, .payload = payload, .final = false}) + pong_frame(payload) +
             encode({.opcode = 0, .payload = payload});
  }
  protocol.receive_data(input);
  std::vector<std::string> found;
  for (const websocket::Event& event : protocol.events()) found.push_back(describe(event));
  CHECK(found == std::vector<std::string>{"pong a", "text aa", "pong b", "text bb", "pong c",
                                          "text cc", "pong d", "text dd"});
  protocol.receive_data({});
  CHECK(protocol.events().empty());
}

TEST_CASE("WebSocketProtocol: every mask key and payload size is unmasked right (RFC 6455 5.3)",
          "[websocket][mask]") {
  const WebSocketLimits limits;
  std::string payload;
  for (int i = 0; i < 70; ++i) payload.push_back(static_cast<char>(i * 37));
  for (std::size_t size = 0; size <= payload.size(); ++size) {
    const std::string_view part = std::string_view(payload).substr(0, size);
    const std::string input =
        encode({.opcode = 2, .payload = part, .key = {0x01, 0x80, 0x00, 0xfe}});
    for_every_split(input, [&](const Pieces& pieces) {
      CHECK(run_websocket(limits, pieces).events ==
            std::vector<std::string>{"binary " + std::string(part)});
    });
  }
}
