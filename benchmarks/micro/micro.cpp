// What single functions of the core cost, by Catch2's BENCHMARK: parsing a request, serialising a
// response, receiving and sending WebSocket messages, deflating them. Part of the project's build
// (CPPASGI_BUILD_BENCHMARKS, the release preset):
//
//   cmake --preset release -DCPPASGI_BUILD_PYTHON=OFF
//   cmake --build --preset release --target micro && build/release/benchmarks/micro
#include <memory>
#include <string>
#include <variant>

#include "server/http1/http1_protocol.h"
#include "server/websocket/message_deflate.h"
#include "server/websocket/websocket_protocol.h"
#include "support/catch.h"
#include "support/websocket_frames.h"

using namespace cppasgi;

namespace {

const std::string kSmall = "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n";

// As a browser sends it: 14 fields, 0.9 KiB.
const std::string kBrowser =
    "GET /api/threads/7/messages?before=2026-01-01 HTTP/1.1\r\nHost: example.org\r\n"
    "Connection: keep-alive\r\nsec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n"
    "sec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml,application/xml;"
    "q=0.9,image/avif,image/webp,*/*;q=0.8\r\nSec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"
    "Referer: https://example.org/threads/\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9\r\nCookie: csrftoken=" +
    std::string(64, 'c') + "; sessionid=" + std::string(32, 's') + "\r\n\r\n";

}  // namespace

TEST_CASE("HTTP/1.1") {
  const HttpLimits limits;
  http1::Http1Protocol protocol(limits);
  const http::ResponseHead head{
      .status = 200, .fields = {{"content-type", "text/plain"}, {"content-length", "13"}}};
  const http::DefaultFields defaults{.date = "Fri, 27 Nov 2026 12:00:00 GMT", .server = "cppasgi"};
  const auto serve = [&](const std::string& request) {
    protocol.receive_data(request);
    protocol.send_head(head, defaults);
    protocol.send_content("Hello, world!", More::No);
    const std::size_t size = protocol.bytes_to_send().size();
    protocol.bytes_to_send().consume(size);
    protocol.next_request();
    return size;
  };
  REQUIRE(serve(kSmall) > 100);
  REQUIRE(serve(kBrowser) > 100);
  BENCHMARK("a request of one field, and its response") { return serve(kSmall); };
  BENCHMARK("a browser's request of 14 fields, and its response") { return serve(kBrowser); };
}

TEST_CASE("WebSocket") {
  const WebSocketLimits limits;
  websocket::MessageMemory memory(0);
  websocket::WebSocketProtocol protocol(limits, memory);
  std::string input;
  for (const std::size_t size : {std::size_t{64}, std::size_t{16} << 10, std::size_t{1} << 20}) {
    const std::string text(size, 'a'), frame = test::text_frame(text);
    // Unmasked in place, so every message is received from a copy.
    const auto receive = [&] {
      input = frame;
      protocol.receive_data(input);
      return protocol.events().size();
    };
    REQUIRE(receive() == 1);
    REQUIRE(std::get<websocket::TextReceived>(protocol.events()[0]).text == text);
    BENCHMARK("copying alone, " + std::to_string(size) + " B") {
      input = frame;
      return input.size();
    };
    BENCHMARK("the same and receiving it as text") { return receive(); };
    BENCHMARK("sending it as text") {
      const std::size_t sent = protocol.send_text(text).size();
      protocol.bytes_to_send().consume(protocol.bytes_to_send().size());
      return sent;
    };
  }
}

TEST_CASE("permessage-deflate") {
  for (const auto mode : {WebSocketDeflate::Mode::Shared, WebSocketDeflate::Mode::Dedicated}) {
    websocket::DeflatePool pool({.mode = mode});
    const std::unique_ptr<websocket::MessageDeflate> deflate = pool.accept({});
    REQUIRE(deflate);
    // Two in turn, as the pool remembers the latest message.
    const std::string one = kBrowser + '1', other = kBrowser + '2';
    bool turn = false;
    const std::string name = mode == WebSocketDeflate::Mode::Shared ? "shared" : "dedicated";
    BENCHMARK("compressing a browser's request as text, " + name) {
      turn = !turn;
      return deflate->compress(turn ? one : other)->size();
    };
  }
}
