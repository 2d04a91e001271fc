// A client that has sent its last byte (RFC 9112 section 9.6): it may still read, or be gone.
#include <chrono>
#include <string>
#include <string_view>

#include "server/session/connection/connection.h"
#include "support/catch.h"
#include "support/fake_host.h"
#include "support/test_application.h"
#include "support/websocket_client.h"
#include "support/websocket_frames.h"

using namespace cppasgi;
using namespace cppasgi::test;

namespace {

using namespace std::chrono_literals;

constexpr auto kGrace = 2s;
constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kPartOfHead = "GET / HTTP/1.1\r\nHo";
constexpr std::string_view kPartOfContent =
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
constexpr std::string_view kLast =
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

struct HalfClosed {
  explicit HalfClosed(std::string_view sent) : host(application), wire(host.connect()) {
    wire->send(sent);
    wire->end();
    host.finish_batch();
  }
  void answer(std::size_t number) {
    application.http.at(number)->answer("ok");
    host.finish_batch();
  }
  // Sends a piece of a response.
  void send(std::string_view piece) {
    application.http.at(0)->responder()->send_content(piece, More::Yes);
    host.finish_batch();
  }
  void begin() { application.http.at(0)->responder()->send_head({200, {}}); }

  TestApplication application;
  FakeHost host;
  std::shared_ptr<Wire> wire;
};

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("Session: a client that half-closed gets its response, and an orderly end",
          "[session][half-close]") {
  HalfClosed test(kGet);
  CHECK(test.application.http.at(0)->disconnects == 0);
  test.host.pass(kGrace - 1ms);
  test.answer(0);
  CHECK(test.wire->take() == kLast);
  CHECK(test.wire->shut_down);
  CHECK(test.wire->closed);
  CHECK_FALSE(test.wire->reset);
  CHECK(test.application.http[0]->disconnects == 0);
  CHECK(test.application.log.empty());
}

TEST_CASE("Session: all complete requests before the end are answered, the last one closes",
          "[session][half-close]") {
  const bool breaks_off = GENERATE(false, true);
  HalfClosed test(repeated(kGet, 3) + std::string(breaks_off ? kPartOfHead : ""));
  for (std::size_t number : {0, 1, 2}) {
    REQUIRE(test.application.http.size() == number + 1);
    CHECK_FALSE(test.wire->closed);
    test.host.pass(kGrace - 1ms);
    test.answer(number);
    CHECK(test.wire->take() == (number == 2 && !breaks_off ? kLast : kOk));
  }
  CHECK(test.application.http.size() == 3);
  CHECK(test.wire->shut_down);
  CHECK(test.wire->closed);
  CHECK_FALSE(test.wire->reset);
}

TEST_CASE("Session: requests that wait for their client to read are answered after its end, too",
          "[session][half-close]") {
  TestApplication application;
  application.on_http = [](HttpCall& call) { call.answer(std::string(50'000, 'x')); };
  FakeHost host(application);
  const auto wire = host.connect();
  wire->limit_room(10);
  wire->send(repeated(kGet, 5));
  wire->end();
  host.finish_batch();
  CHECK(application.http.size() < 5);
  for (int turn = 0; turn < 10; ++turn) {
    host.pass(kGrace);
    CHECK(wire->closed == (application.http.size() == 5 && wire->queued.empty()));
    wire->drain();
    host.finish_batch();
  }
  CHECK(application.http.size() == 5);
  CHECK(wire->take().size() > 250'000);
  CHECK(wire->closed);
  CHECK_FALSE(wire->reset);
}

TEST_CASE("Session: a client that half-closed counts as gone when nothing is sent for a while",
          "[session][half-close]") {
  HalfClosed test(kGet);
  HttpCall& call = *test.application.http.at(0);
  const int pieces = GENERATE(0, 1, 4);
  if (pieces != 0) test.begin();
  for (int piece = 0; piece < pieces; ++piece) {
    test.host.pass(kGrace - 1ms);
    test.send("piece");
    CHECK(call.disconnects == 0);
  }
  CHECK(test.host.connection().next_deadline() == test.host.now() + kGrace);
  test.host.pass(kGrace - 1ms);
  CHECK(call.disconnects == 0);
  test.host.pass(1ms);
  CHECK(call.disconnects == 1);
  CHECK(call.responder() == nullptr);
  CHECK(test.wire->closed);
  CHECK(test.wire->reset);
}

TEST_CASE("Session: the server is told when a half-closed client would be gone",
          "[session][half-close]") {
  HalfClosed test(kGet);
  CHECK(test.host.take_announced() == test.host.now() + kGrace);
  test.begin();
  test.wire->limit_room(10);
  test.send(std::string(100, 'x'));
  test.host.take_announced();
  test.wire->drain();  // what waited has left
  CHECK(test.host.take_announced() == test.host.now() + kGrace);
}

TEST_CASE("Session: while something waits for a half-closed client, it has the time of a reader",
          "[session][half-close]") {
  HalfClosed test(kGet);
  HttpCall& call = *test.application.http.at(0);
  test.begin();
  test.wire->limit_room(10);
  test.send(std::string(100, 'x'));
  test.host.pass(test.host.options.timeouts.send - 1ms);
  CHECK(call.disconnects == 0);
  SECTION("and reads on") {
    test.wire->drain();
    test.host.pass(kGrace - 1ms);
    CHECK(call.disconnects == 0);
  }
  test.host.pass(1ms);
  CHECK(call.disconnects == 1);
}

TEST_CASE("Session: what a client that is gone is sent cuts it off at once",
          "[session][half-close]") {
  HalfClosed test(kGet);
  test.wire->fail();
  CHECK(test.application.http.at(0)->disconnects == 1);
}

TEST_CASE("Session: the time for a response ends before the grace, or doesn't",
          "[session][half-close]") {
  ServerOptions options;
  options.timeouts.response_start = 1s;
  TestApplication application;
  FakeHost host(application, options);
  const auto wire = host.connect();
  wire->send(kGet);
  wire->end();
  host.pass(1s);
  CHECK(wire->take().starts_with("HTTP/1.1 503 "));
  CHECK(application.http.at(0)->disconnects == 1);
  CHECK(wire->shut_down);
}

TEST_CASE("Session: a request that breaks off ends the connection at once (RFC 9112 8)",
          "[session][half-close]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  SECTION("in its head") {
    wire->send(kPartOfHead);
    wire->end();
    CHECK(application.http.empty());
  }
  SECTION("in its content") {
    wire->send(kPartOfContent);
    wire->end();
    CHECK(application.http.at(0)->disconnects == 1);
  }
  SECTION("in its content, behind another") {
    wire->send(std::string(kGet) + std::string(kPartOfContent));
    wire->end();
    application.http.at(0)->answer("ok");
    host.finish_batch();
    CHECK(application.http.at(1)->disconnects == 1);
  }
  host.finish_batch();
  CHECK(wire->closed);
}

TEST_CASE("Session: a WebSocket doesn't outlive its client's last byte (RFC 6455 7.1.4)",
          "[session][half-close]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  SECTION("open") {
    application.on_websocket = [](WebSocketCall& call) { call.responder()->accept({}, {}); };
    wire->send(opening_handshake());
    host.finish_batch();
    wire->end();
  }
  SECTION("not answered yet") {
    wire->send(opening_handshake() + text_frame("waits"));
    wire->end();
  }
  SECTION("behind a request") {
    wire->send(std::string(kGet) + opening_handshake());
    wire->end();
    application.http.at(0)->answer("ok");
    host.finish_batch();
  }
  CHECK(application.websockets.at(0)->disconnects == 1);
  CHECK(application.websockets.at(0)->close_code == 1006);
  host.finish_batch();
  CHECK(wire->closed);
}

TEST_CASE("Session: a drain lets a half-closed client have its response",
          "[session][half-close][drain]") {
  HalfClosed test(kGet);
  test.host.drain();
  test.answer(0);
  CHECK(test.wire->take() == kLast);
  CHECK(test.wire->closed);
}

// --- while the application takes nothing ---

namespace {

// More content than waits for an application; some of it stays in the kernel.
struct Unread {
  Unread() : host(application), wire(host.connect()) {
    const std::string piece(100'000, 'x');
    wire->send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n");
    for (int i = 0; i < 4; ++i) wire->send(piece);
    host.finish_batch();
    REQUIRE(wire->waiting_bytes() != 0);
  }
  HttpCall& call() { return *application.http.at(0); }

  TestApplication application;
  FakeHost host;
  std::shared_ptr<Wire> wire;
};

}  // namespace

TEST_CASE("Session: a client that ends unread counts as gone, too", "[session][half-close]") {
  Unread test;
  CHECK(test.host.take_announced() <= test.host.now() + kGrace);
  test.host.pass(3 * kGrace);
  test.host.pass(3 * kGrace);
  CHECK(test.call().disconnects == 0);  // it is there
  test.wire->end();
  test.host.pass(kGrace);  // its end is seen
  CHECK(test.call().disconnects == 0);
  CHECK(test.host.connection().next_deadline() == test.host.now() + kGrace);
  SECTION("when nothing is sent") {
    test.host.pass(kGrace - 1ms);
    CHECK(test.call().disconnects == 0);
  }
  SECTION("when nothing is sent any longer") {
    test.call().responder()->send_head({200, {}});
    for (int piece = 0; piece < 3; ++piece) {
      test.host.pass(kGrace - 1ms);
      test.call().responder()->send_content("piece", More::Yes);
      test.host.finish_batch();
    }
    test.host.pass(kGrace - 1ms);
    CHECK(test.call().disconnects == 0);
  }
  test.host.pass(1ms);
  CHECK(test.call().disconnects == 1);
  CHECK(test.wire->closed);
}

TEST_CASE("Session: an opening handshake that nobody answers, with frames behind it, ends unread",
          "[session][half-close]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(opening_handshake() + binary_frame(std::string(100'000, 'x')));
  wire->send("more");
  wire->end();
  host.finish_batch();
  CHECK(wire->waiting_bytes() != 0);
  host.pass(kGrace);
  CHECK_FALSE(wire->closed);
  host.pass(kGrace);
  CHECK(wire->closed);
}
