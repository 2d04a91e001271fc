// What unfinished messages take together, and the bound on it (RFC 6455 section 10.4).
#include "server/websocket/message_memory.h"

#include <optional>
#include <string>
#include <string_view>

#include "server/websocket/message_deflate.h"
#include "server/websocket/websocket_protocol.h"
#include "support/catch.h"
#include "support/websocket_frames.h"

using namespace cppasgi;
using namespace cppasgi::test;
using websocket::DeflatePool;
using websocket::MessageMemory;
using websocket::ProtocolFailed;
using websocket::WebSocketProtocol;

namespace {

constexpr std::size_t kKiB = 1024;
// What zlib takes to inflate, as MessageDeflate counts it.
constexpr std::size_t kInflater = 40 * kKiB;

std::string part(std::string_view payload, unsigned opcode = 2, unsigned reserved_bits = 0) {
  return encode(
      {.opcode = opcode, .payload = payload, .final = false, .reserved_bits = reserved_bits});
}
std::string last(std::string_view payload) { return encode({.opcode = 0, .payload = payload}); }

struct Peer {
  explicit Peer(MessageMemory& memory) : protocol(limits, memory) {}
  void send(std::string bytes) { protocol.receive_data(bytes); }
  // The code that it is closed with; 0: it isn't.
  unsigned failed() const {
    for (const websocket::Event& event : protocol.events()) {
      if (const auto* failure = std::get_if<ProtocolFailed>(&event)) return failure->close_code;
    }
    return 0;
  }

  WebSocketLimits limits;
  WebSocketProtocol protocol;
};

}  // namespace

TEST_CASE("MessageMemory: what all take together is bounded, and one alone may take any size",
          "[websocket][memory]") {
  MessageMemory memory(100);
  MessageMemory::Part one(memory);
  CHECK(one.resize(1'000));
  CHECK(one.resize(50));
  std::optional<MessageMemory::Part> two(memory);
  CHECK(two->resize(50));
  CHECK(memory.bytes() == 100);
  CHECK_FALSE(two->resize(51));
  CHECK(memory.bytes() == 101);
  CHECK(two->resize(50));  // it shrank
  two.reset();
  CHECK(memory.bytes() == 50);
  CHECK(one.resize(0));
  CHECK(one.empty());
  CHECK(memory.bytes() == 0);

  MessageMemory unlimited(0);
  MessageMemory::Part first(unlimited), second(unlimited);
  CHECK(first.resize(std::size_t{1} << 40));
  CHECK(second.resize(std::size_t{1} << 40));
}

TEST_CASE(
    "WebSocketProtocol: a message counts from its first part to its last, as much as it holds",
    "[websocket][memory]") {
  MessageMemory memory(0);
  {
    Peer peer(memory);
    peer.send(binary_frame(std::string(10'000, 'x')));
    CHECK(memory.bytes() == 0);
    CHECK(peer.protocol.unfinished_message() == 0);
    peer.send(part(std::string(10'000, 'x')) + last("x"));
    CHECK(memory.bytes() == 0);
    CHECK(peer.protocol.unfinished_message() == 0);

    peer.send(part(std::string(10'000, 'x')));
    const std::uint32_t number = peer.protocol.unfinished_message();
    CHECK(number != 0);
    CHECK(memory.bytes() >= 10'000);
    CHECK(memory.bytes() < 11'000);
    CHECK(peer.protocol.unfinished_bytes() == 10'000);
    peer.send(ping_frame("alive"));
    CHECK(peer.protocol.unfinished_bytes() == 10'000);
    peer.send(part("x", 0));
    CHECK(peer.protocol.unfinished_message() == number);
    CHECK(peer.protocol.unfinished_bytes() == 10'001);
    CHECK(memory.bytes() >= 100'000);  // it has grown ahead
    peer.send(last("x") + part("y"));
    CHECK(peer.protocol.unfinished_message() != number);
    CHECK(peer.protocol.unfinished_bytes() == 1);
    CHECK(memory.bytes() < 100);
    CHECK(memory.bytes() > 0);
  }
  CHECK(memory.bytes() == 0);
}

TEST_CASE("WebSocketProtocol: a message grows ahead to no more than it may have",
          "[websocket][memory]") {
  MessageMemory memory(0);
  Peer peer(memory);
  peer.send(part(std::string(60'000, 'x')));
  for (int i = 0; i < 16; ++i) peer.send(part(std::string(60'000, 'x'), 0));
  CHECK(peer.failed() == 0);
  CHECK(memory.bytes() <= peer.limits.max_message_bytes + kKiB);
}

TEST_CASE("WebSocketProtocol: a frame that comes in parts counts as well", "[websocket][memory]") {
  MessageMemory memory(0);
  Peer peer(memory);
  const std::string frame = binary_frame(std::string(10'000, 'x'));
  peer.send(frame.substr(0, 5'000));
  CHECK(memory.bytes() >= 4'000);
  CHECK(peer.protocol.unfinished_message() != 0);
  peer.send(frame.substr(5'000));
  CHECK(memory.bytes() == 0);
  CHECK(peer.protocol.unfinished_message() == 0);
}

TEST_CASE("WebSocketProtocol: the part of a message that is too much for all together closes it",
          "[websocket][memory]") {
  MessageMemory memory(50'000);
  Peer one(memory), two(memory), three(memory);
  one.send(part(std::string(20'000, 'x')));
  two.send(part(std::string(20'000, 'x')));
  CHECK(two.failed() == 0);
  three.send(part(std::string(20'000, 'x')));
  CHECK(three.failed() == 1013);
  CHECK(three.protocol.unfinished_message() == 0);
  CHECK(memory.bytes() < 50'000);
  three.send(last("x"));  // is ignored
  CHECK(memory.bytes() < 50'000);
  Peer four(memory);
  four.send(binary_frame(std::string(60'000, 'x')));
  CHECK(four.failed() == 0);  // it is whole
  two.send(last("x"));
  CHECK(two.failed() == 0);
  Peer five(memory);
  five.send(part(std::string(20'000, 'x')));
  CHECK(five.failed() == 0);
}

TEST_CASE("WebSocketProtocol: compressed parts count as what they inflate to, and zlib's memory",
          "[websocket][memory]") {
  MessageMemory memory(0);
  const WebSocketDeflate options;
  DeflatePool pool(options);
  const websocket::DeflateParameters offer{.server_no_context_takeover = true,
                                           .client_no_context_takeover = true};
  std::string payload;
  {
    Peer sender(memory);
    sender.protocol.enable_deflate(pool.accept(offer));
    sender.protocol.send_binary(std::string(500'000, 'x'));
    payload = sender.protocol.bytes_to_send().view().substr(4);
  }
  REQUIRE(payload.size() < 5'000);
  {
    Peer peer(memory);
    peer.protocol.enable_deflate(pool.accept(offer));
    peer.send(part(payload, 2, 4));
    CHECK(memory.bytes() >= 490'000 + kInflater);
    SECTION("until the rest comes") {
      peer.send(last(""));
      CHECK(peer.failed() == 0);
      CHECK(std::get<websocket::BinaryReceived>(peer.protocol.events().at(0)).bytes.size() ==
            500'000);
    }
    SECTION("until the peer closes") { peer.send(close_frame(1000)); }
    SECTION("until it breaks the rules") {
      peer.send(part("again"));
      CHECK(peer.failed() == 1002);
    }
    SECTION("until it is given up") {
      peer.protocol.give_up();
      peer.send(last(""));
      CHECK(peer.protocol.events().empty());
    }
    CHECK(memory.bytes() == 0);
    CHECK(peer.protocol.unfinished_message() == 0);
  }
  Peer tiny(memory);
  tiny.protocol.enable_deflate(pool.accept(offer));
  tiny.send(part(payload.substr(0, 1), 2, 4));
  CHECK(memory.bytes() >= kInflater);
}
