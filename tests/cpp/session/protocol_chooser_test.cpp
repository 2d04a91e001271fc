// A connection whose first bytes decide what is spoken on it: HTTP/1, or a protocol that is there
// for this test only.
#include <chrono>
#include <string>

#include "server/session/drivers/protocols.h"
#include "support/catch.h"
#include "support/echo_driver.h"
#include "support/fake_host.h"
#include "support/feed.h"
#include "support/test_application.h"

using namespace cppasgi;
using namespace cppasgi::test;
using std::chrono::milliseconds;

namespace {

const std::string kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string kOk = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

struct Test {
  explicit Test(const ServerOptions& options = {}) : host(application, options) {
    application.on_http = [](HttpCall& call) { call.answer("hello"); };
    host.protocols.push_back(EchoDriver::protocol());
  }

  TestApplication application;
  FakeHost host;
};

}  // namespace

TEST_CASE("Protocols: the first bytes choose, however they are cut", "[session]") {
  const auto [sent, received] =
      GENERATE(std::pair{std::string("ECHO\nhello\nECHO\n"), std::string("hello\nECHO\n")},
               std::pair{kGet + kGet, kOk + kOk}, std::pair{"\r\n" + kGet, kOk});
  for_every_split(sent, [&, received = received](const Pieces& pieces) {
    Test test;
    const auto wire = test.host.connect();
    for (const std::string_view piece : pieces) {
      wire->send(piece);
      test.host.finish_batch();
    }
    REQUIRE(wire->received == received);
    wire->end();
    test.host.finish_batch();
    REQUIRE(wire->closed);
    REQUIRE_FALSE(wire->reset);
    REQUIRE(test.host.connections() == 0);
  });
}

TEST_CASE("Protocols: nothing is known of one that isn't chosen", "[session]") {
  Test test;
  const auto wire = test.host.connect();
  wire->send("ECHO / HTTP/1.1\r\nHost: x\r\n\r\n");
  test.host.finish_batch();
  CHECK(wire->received.starts_with("HTTP/1.1 "));
}

TEST_CASE("Protocols: a client that doesn't decide is dropped like one without a request",
          "[session]") {
  ServerOptions options;
  options.timeouts.request_head = milliseconds(3'000);
  Test test(options);
  const auto wire = test.host.connect();
  wire->send("ECH");
  test.host.pass(milliseconds(2'999));
  CHECK_FALSE(wire->closed);
  test.host.pass(milliseconds(1));
  CHECK(wire->closed);
  CHECK(wire->received.empty());
}

TEST_CASE("Protocols: the time for a request's head runs from the connection's begin",
          "[session]") {
  ServerOptions options;
  options.timeouts.request_head = milliseconds(3'000);
  Test test(options);
  const auto wire = test.host.connect();
  test.host.pass(milliseconds(2'000));
  wire->send("E");
  test.host.finish_batch();
  test.host.pass(milliseconds(999));
  CHECK_FALSE(wire->closed);
  test.host.pass(milliseconds(1));
  CHECK(wire->closed);
}

TEST_CASE("Protocols: one that leaves, is drained, cut or refused before it decides", "[session]") {
  Test test;
  const auto wire = test.host.connect();
  wire->send("ECH");
  SECTION("leaves") { wire->end(); }
  SECTION("fails") { wire->fail(); }
  SECTION("is drained") {
    test.host.drain();
    wire->end();
  }
  SECTION("is cut short") { test.host.driver().cut_short(); }
  test.host.finish_batch();
  CHECK(wire->closed);
  CHECK(wire->received.empty());
  CHECK(test.host.connections() == 0);
}

TEST_CASE("Protocols: one connection too many is refused in HTTP/1", "[session]") {
  Test test;
  const auto wire = test.host.connect();
  test.host.driver().refuse();
  test.host.finish_batch();
  CHECK(wire->received.starts_with("HTTP/1.1 503 "));
}

TEST_CASE("Protocols: what one sends waits for its client as in HTTP/1", "[session]") {
  Test test;
  const auto wire = test.host.connect();
  wire->send("ECHO\n");
  test.host.finish_batch();
  wire->limit_room(0);
  const std::string much(2 * ServerOptions{}.outgoing.high_bytes, 'x');
  wire->send(much);
  test.host.finish_batch();
  CHECK_FALSE(wire->reading);
  wire->drain();
  test.host.finish_batch();
  CHECK(wire->reading);
  CHECK(wire->received == much);
}
