// What receiving and sending allocate: nothing per message once warm, and never what a header
// merely announces. Counts by replacing operator new in this executable.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>

#include "server/websocket/websocket_protocol.h"
#include "support/catch.h"
#include "support/websocket_frames.h"

using namespace cppasgi;
using namespace cppasgi::test;
using cppasgi::websocket::WebSocketProtocol;

namespace {

struct Counted {
  std::size_t allocations = 0;
  std::size_t frees = 0;
  std::size_t bytes = 0;
  std::size_t largest = 0;
};

Counted counted;

void* allocate(std::size_t size) {
  ++counted.allocations;
  counted.bytes += size;
  counted.largest = std::max(counted.largest, size);
  if (void* block = std::malloc(size == 0 ? 1 : size)) return block;
  throw std::bad_alloc();
}

template <typename Function>
Counted count_in(Function&& function) {
  counted = {};
  function();
  return counted;
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
void operator delete(void* block) noexcept {
  if (block != nullptr) ++counted.frees;
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

TEST_CASE("WebSocketProtocol: echoing plain messages allocates nothing once warm",
          "[websocket][memory]") {
  const WebSocketLimits limits;
  websocket::MessageMemory memory(0);
  WebSocketProtocol protocol(limits, memory);
  const std::string frame = text_frame("a message of thirty-two bytes ..");
  std::string input;
  const auto echo = [&] {
    input.assign(frame);
    protocol.receive_data(input);
    protocol.send_text(std::get<websocket::TextReceived>(protocol.events().front()).text);
    protocol.bytes_to_send().consume(protocol.bytes_to_send().size());
  };
  echo();
  const Counted found = count_in([&] {
    for (int i = 0; i < 100; ++i) echo();
  });
  CHECK(found.allocations == 0);
}

TEST_CASE("WebSocketProtocol: an announced length allocates nothing by itself (RFC 6455 10.4)",
          "[websocket][memory]") {
  const WebSocketLimits limits{0, 0};
  const std::uint64_t announced =
      GENERATE(std::uint64_t{1} << 20, std::uint64_t{1} << 40, (std::uint64_t{1} << 63) - 1);
  const bool final = GENERATE(true, false);
  websocket::MessageMemory memory(0);
  WebSocketProtocol protocol(limits, memory);
  std::string input =
      encode({.opcode = 2, .final = final, .announced_bytes = announced}) + std::string(100, 'x');
  const Counted found = count_in([&] { protocol.receive_data(input); });
  CHECK(found.largest < 5000);
  CHECK(protocol.events().empty());
}

TEST_CASE("WebSocketProtocol: 1 MiB in pieces of 64 KiB costs a few times its size (RFC 6455 10.4)",
          "[websocket][memory]") {
  const WebSocketLimits limits;
  websocket::MessageMemory memory(0);
  WebSocketProtocol protocol(limits, memory);
  const std::size_t size = 1024 * 1024;
  const std::string frame = binary_frame(std::string(size, 'x'));
  const Counted found = count_in([&] {
    for (std::size_t begin = 0; begin < frame.size(); begin += 65536) {
      std::string piece = frame.substr(begin, 65536);
      protocol.receive_data(piece);
    }
  });
  REQUIRE(protocol.events().size() == 1);
  CHECK(std::get<websocket::BinaryReceived>(protocol.events().front()).bytes.size() == size);
  CHECK(found.bytes < 4 * size);  // 1 MiB of it are the pieces themselves
  CHECK(found.largest <= size + 1);
}

TEST_CASE(
    "WebSocketProtocol: a message of thousands of fragments costs a few times its size (RFC 6455 "
    "5.4)",
    "[websocket][memory]") {
  const WebSocketLimits limits;
  websocket::MessageMemory memory(0);
  WebSocketProtocol protocol(limits, memory);
  const std::string fragment =
      encode({.opcode = 0, .payload = "twenty bytes, twenty", .final = false});
  std::string input = encode({.opcode = 2, .payload = "", .final = false});
  for (int i = 0; i < 20'000; ++i) input += fragment;
  input += encode({.opcode = 0, .payload = "the end"});
  const Counted found = count_in([&] { protocol.receive_data(input); });
  REQUIRE(protocol.events().size() == 1);
  CHECK(std::get<websocket::BinaryReceived>(protocol.events().front()).bytes.size() == 400'007);
  CHECK(found.bytes < 4'000'000);
}

TEST_CASE("WebSocketProtocol: a quiet connection keeps nothing of what it handled",
          "[websocket][memory]") {
  const WebSocketLimits limits;
  websocket::MessageMemory memory(0);
  WebSocketProtocol protocol(limits, memory);
  std::string warm_up = text_frame("a") + text_frame("b");
  protocol.receive_data(warm_up);
  const std::string fragmented =
      encode({.opcode = 1, .payload = std::string(1000, 'x'), .final = false}) +
      encode({.opcode = 0, .payload = "end"});
  const std::string large = binary_frame(std::string(100'000, 'x'));
  for (const std::string& frames : {fragmented, pong_frame("p"), large}) {
    std::string input = frames;
    std::size_t received = 0;
    const Counted found = count_in([&] {
      protocol.receive_data(std::span<char>(input).first(input.size() / 2));
      protocol.receive_data(std::span<char>(input).subspan(input.size() / 2));
      received = protocol.events().size();
      protocol.receive_data({});
    });
    CHECK(received == 1);
    CHECK(found.allocations > 0);
    CHECK(found.frees == found.allocations);
  }
}

TEST_CASE("WebSocketProtocol: thousands of events of one call aren't kept for the next",
          "[websocket][memory]") {
  const WebSocketLimits limits;
  websocket::MessageMemory memory(0);
  WebSocketProtocol protocol(limits, memory);
  std::string input;
  for (int i = 0; i < 10000; ++i) input += ping_frame("");
  protocol.receive_data(input);
  CHECK(protocol.events().size() == 10000);
  protocol.receive_data({});
  CHECK(protocol.events().capacity() == 0);
}
