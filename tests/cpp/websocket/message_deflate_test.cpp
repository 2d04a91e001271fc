// Compressing and inflating messages through the pool: which streams are shared, what memory is
// held, and messages of every size both ways.
#include "server/websocket/message_deflate.h"

#include <ctime>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "support/catch.h"

using namespace cppasgi;
using namespace cppasgi::websocket;
using namespace std::string_literals;

namespace {

WebSocketDeflate dedicated(std::size_t max_memory_bytes = 1 << 20) {
  return {.mode = WebSocketDeflate::Mode::Dedicated, .max_memory_bytes = max_memory_bytes};
}

// A client on the other end of an agreement.
DeflateParameters mirrored(const DeflateParameters& answer) {
  return {.server_no_context_takeover = answer.client_no_context_takeover,
          .client_no_context_takeover = answer.server_no_context_takeover,
          .server_max_window_bits = answer.client_max_window_bits,
          .client_max_window_bits = answer.server_max_window_bits};
}

std::optional<std::string> inflate(MessageDeflate& receiver, std::string_view compressed) {
  std::string message;
  for (std::string_view input : {compressed, kFlushTail}) {
    bool more = !input.empty();
    while (more) {
      const MessageDeflate::Inflated piece = receiver.inflate(input);
      message.append(piece.bytes);
      if (piece.invalid) return std::nullopt;
      more = piece.more;
    }
  }
  if (!receiver.finish_message()) return std::nullopt;
  return message;
}

std::string words(std::size_t size) {
  std::string text;
  for (unsigned i = 0; text.size() < size; i = i * 1664525 + 1013904223)
    text += std::to_string(i % 1000) + (i % 3 == 0 ? " one " : " other ");
  text.resize(size);
  return text;
}

std::string noise(std::size_t size) {
  std::string bytes;
  for (unsigned i = 1; bytes.size() < size;) {
    i = i * 1664525 + 1013904223;
    bytes.push_back(static_cast<char>(i >> 24));
  }
  return bytes;
}

}  // namespace

TEST_CASE("MessageDeflate: messages arrive as they were sent, with every agreement (RFC 7692 7.2)",
          "[websocket][deflate]") {
  const int bits = GENERATE(9, 10, 13, 15);
  const bool no_takeover = GENERATE(true, false);
  DeflatePool pool({.level = GENERATE(1, 6), .window_bits = bits, .memory_level = GENERATE(1, 8)});
  DeflateParameters answer;
  answer.server_no_context_takeover = no_takeover;
  if (bits < 15) answer.server_max_window_bits = static_cast<std::uint8_t>(bits);
  MessageDeflate sender(pool, answer, 0);
  DeflatePool other_pool({});
  MessageDeflate receiver(other_pool, mirrored(answer), 0);
  for (const std::string& message :
       {words(256), words(300), words(300), words(16384), words(200'000), std::string(100'000, 'x'),
        noise(1000), noise(70'000), words(256)}) {
    const auto compressed = sender.compress(message);
    if (compressed) CHECK((inflate(receiver, *compressed) == message));
    if (no_takeover && compressed) CHECK(compressed->size() < message.size());
  }
}

TEST_CASE("MessageDeflate: short messages, and without takeover those that grow, stay as they are",
          "[websocket][deflate]") {
  DeflatePool pool({.min_bytes = 100});
  const auto deflate = pool.accept({});
  CHECK_FALSE(deflate->compress(std::string(99, 'x')));
  CHECK(deflate->compress(std::string(100, 'x')));
  CHECK_FALSE(deflate->compress(noise(5000)));
  DeflatePool any_size({.min_bytes = 0});
  CHECK_FALSE(any_size.accept({})->compress(""));
}

TEST_CASE("MessageDeflate: with takeover a repeated message shrinks to almost nothing",
          "[websocket][deflate]") {
  DeflatePool pool(dedicated());
  const std::string message = words(1000);
  const auto deflate = pool.accept({});
  const std::size_t first = deflate->compress(message)->size();
  CHECK(deflate->compress(message)->size() < first / 5);
  const auto declined = pool.accept({.server_no_context_takeover = true});
  CHECK(declined->compress(message)->size() == first);
  CHECK(declined->compress(message)->size() == first);
}

TEST_CASE("MessageDeflate: connections that share don't see one another's messages",
          "[websocket][deflate]") {
  DeflatePool pool({});
  const auto one = pool.accept({});
  const auto two = pool.accept({.server_max_window_bits = 9});
  const std::string message = noise(1000) + noise(1000);
  const std::string compressed(*one->compress(message));
  CHECK_FALSE(two->compress(message));  // its window is too small to see the repetition
  CHECK((*one->compress(message) == compressed));
  // Both are in the middle of receiving.
  for (MessageDeflate* deflate : {one.get(), two.get()}) {
    std::string_view half = std::string_view(compressed).substr(0, compressed.size() / 2);
    CHECK_FALSE(deflate->inflate(half).invalid);
  }
  for (MessageDeflate* deflate : {one.get(), two.get()})
    CHECK(inflate(*deflate, std::string_view(compressed).substr(compressed.size() / 2)));
}

TEST_CASE("DeflatePool: a message for many connections is compressed once",
          "[websocket][deflate]") {
  DeflatePool pool({});
  const auto one = pool.accept({});
  const auto two = pool.accept({});
  const auto small = pool.accept({.server_max_window_bits = 9});
  const std::string message = words(5000);
  const std::string expected(*one->compress(message));
  CHECK((*two->compress(message) == expected));
  // Neither another message nor another window is taken for it.
  const std::string other = words(4999) + "x";
  const std::string of_other(*one->compress(other));
  CHECK((inflate(*two, of_other) == other));
  CHECK((*two->compress(message) == expected));
  CHECK((*small->compress(message) != expected));
  CHECK((*one->compress(message) == expected));

  const auto cpu_time_of_100 = [&](const std::string& first, const std::string& second) {
    const std::clock_t start = std::clock();
    for (int i = 0; i < 50; ++i) {
      one->compress(first);
      two->compress(second);
    }
    return std::clock() - start;
  };
  CHECK(cpu_time_of_100(message, message) < cpu_time_of_100(message, other) / 3);
}

TEST_CASE("DeflatePool: off declines", "[websocket][deflate]") {
  DeflatePool pool({.mode = WebSocketDeflate::Mode::Off});
  CHECK(pool.accept({}) == nullptr);
}

TEST_CASE("DeflatePool: the memory of dedicated streams is bounded, and comes back",
          "[websocket][deflate]") {
  // 64 KiB for a compressor (window bits 13, memory level 5: 32 and 16, and zlib's structures)
  // and 40 for an inflater, at most.
  DeflatePool pool(dedicated(220 * 1024));
  auto one = pool.accept({});
  const std::size_t each = pool.reserved_bytes();
  CHECK(each > 80 * 1024);
  CHECK(each < 104 * 1024);
  const auto two = pool.accept({});
  CHECK(pool.reserved_bytes() == 2 * each);
  const auto three = pool.accept({});
  CHECK(three->answer() == DeflateParameters{true, true, {}, {}});
  CHECK(pool.reserved_bytes() == 2 * each);
  // Those that ask for less may still have room.
  CHECK_FALSE(pool.accept({.server_no_context_takeover = true, .client_max_window_bits = 9})
                  ->answer()
                  .client_no_context_takeover);
  one.reset();
  CHECK(pool.reserved_bytes() == each);
  CHECK(pool.accept({})->answer() == DeflateParameters{});
}

TEST_CASE("DeflatePool: values that zlib doesn't know are refused", "[websocket][deflate]") {
  CHECK_THROWS_AS(DeflatePool({.level = 0}), std::invalid_argument);
  CHECK_THROWS_AS(DeflatePool({.level = 10}), std::invalid_argument);
  CHECK_THROWS_AS(DeflatePool({.window_bits = 8}), std::invalid_argument);
  CHECK_THROWS_AS(DeflatePool({.window_bits = 16}), std::invalid_argument);
  CHECK_THROWS_AS(DeflatePool({.memory_level = 0}), std::invalid_argument);
  CHECK_THROWS_AS(DeflatePool({.memory_level = 10}), std::invalid_argument);
}
