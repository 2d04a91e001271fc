// Connections that begin with a PROXY preamble: who the client is then, and what becomes of those
// without one.
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

const std::string kLine = "PROXY TCP4 203.0.113.5 198.51.100.1 41000 443\r\n";
const std::string kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string kOk = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

ServerOptions trusting(std::vector<std::string> trusted) {
  ServerOptions options;
  options.proxy.trusted = std::move(trusted);
  return options;
}

struct Test {
  explicit Test(const ServerOptions& options = trusting({"192.0.2.7"}))
      : host(application, options) {
    host.proxy_protocol = true;
    application.on_http = [this](HttpCall& call) {
      connections.push_back(call.responder()->connection());
      call.answer("hello");
    };
  }

  TestApplication application;
  FakeHost host;
  std::vector<ConnectionInfo> connections;
};

}  // namespace

TEST_CASE("ProxyDriver: the preamble's client is the client, however the bytes are cut",
          "[session]") {
  for_every_split(kLine + kGet, [](const Pieces& pieces) {
    Test test;
    const auto wire = test.host.connect();
    for (const std::string_view piece : pieces) {
      wire->send(piece);
      test.host.finish_batch();
    }
    REQUIRE(wire->received == kOk);
    REQUIRE(test.connections.size() == 1);
    REQUIRE(test.connections[0].client == Address{Address::Family::Tcp, "203.0.113.5", 41000});
    REQUIRE(test.connections[0].server == Address{Address::Family::Tcp, "198.51.100.1", 443});
    REQUIRE_FALSE(test.connections[0].secure);
    REQUIRE(test.host.access() == "203.0.113.5:41000 \"GET /\" 200 5\n");
    REQUIRE(test.application.log.empty());
  });
}

TEST_CASE("ProxyDriver: without a client the connection's own ends count", "[session]") {
  Test test;
  const auto wire = test.host.connect();
  wire->send("PROXY UNKNOWN\r\n" + kGet);
  test.host.finish_batch();
  CHECK(wire->received == kOk);
  CHECK(test.connections.at(0).client == wire->client);
}

TEST_CASE("ProxyDriver: TLS in front of the proxy makes the scheme https", "[session]") {
  Test test;
  const auto wire = test.host.connect();
  const std::string tls("\x20\x00\x05\x01\x00\x00\x00\x00", 8);
  wire->send(std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x14", 16) +
             std::string("\xC0\x00\x02\x09\xC6\x33\x64\x01\x00\x07\x01\xBB", 12) + tls + kGet);
  test.host.finish_batch();
  CHECK(wire->received == kOk);
  CHECK(test.connections.at(0).secure);
  CHECK(test.connections.at(0).client == Address{Address::Family::Tcp, "192.0.2.9", 7});
}

TEST_CASE("ProxyDriver: the client isn't trusted as its proxy is", "[session]") {
  ServerOptions options = trusting({"192.0.2.7"});
  options.proxy.address = "x-forwarded-for";
  Test test(options);
  const auto wire = test.host.connect();
  wire->send(kLine + "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n");
  test.host.finish_batch();
  CHECK(test.connections.at(0).client.host == "203.0.113.5");
}

TEST_CASE("ProxyDriver: another protocol may follow the preamble", "[session]") {
  Test test;
  test.host.protocols.push_back(EchoDriver::protocol());
  const auto wire = test.host.connect();
  wire->send(kLine + "ECHO\nhi");
  test.host.finish_batch();
  CHECK(wire->received == "hi");
}

TEST_CASE("ProxyDriver: whoever isn't a trusted proxy is dropped", "[session]") {
  Test test(trusting({"127.0.0.0/8"}));
  const auto wire = test.host.connect();
  wire->send(kLine + kGet);
  test.host.finish_batch();
  CHECK(wire->closed);
  CHECK(wire->received.empty());
  CHECK(test.connections.empty());
  REQUIRE(test.application.log.size() == 1);
  CHECK(test.application.log[0] ==
        "192.0.2.7:40000: is no trusted proxy: where the PROXY protocol is spoken, only those may "
        "connect");
}

TEST_CASE("ProxyDriver: a broken preamble ends the connection with one line", "[session]") {
  Test test;
  const auto wire = test.host.connect();
  wire->send(kGet);
  test.host.finish_batch();
  CHECK(wire->closed);
  CHECK(wire->received.empty());
  CHECK(test.application.log ==
        std::vector<std::string>{"192.0.2.7:40000: there is no PROXY preamble"});
  CHECK(test.host.access().empty());
}

TEST_CASE("ProxyDriver: a preamble has as long as a request's head", "[session]") {
  ServerOptions options = trusting({"*"});
  options.timeouts.request_head = milliseconds(3'000);
  Test test(options);
  const auto wire = test.host.connect();
  const bool begun = GENERATE(false, true);
  if (begun) wire->send("PROXY TCP4 ");
  test.host.pass(milliseconds(2'999));
  CHECK_FALSE(wire->closed);
  test.host.pass(milliseconds(1));
  CHECK(wire->closed);
  // A health check that only connects isn't worth a line.
  CHECK(test.application.log.size() == (begun ? 1U : 0U));
}

TEST_CASE("ProxyDriver: a connection that ends before leaves no trace", "[session]") {
  Test test;
  const auto wire = test.host.connect();
  SECTION("at once") {}
  SECTION("within") { wire->send("PROXY"); }
  SECTION("in draining") { test.host.drain(); }
  wire->end();
  test.host.finish_batch();
  CHECK(wire->closed);
  CHECK(wire->received.empty());
  CHECK(test.application.log.empty());
  CHECK(test.host.access().empty());
  CHECK(test.host.connections() == 0);
}

TEST_CASE("ProxyDriver: one connection too many is refused in HTTP/1", "[session]") {
  Test test;
  const auto wire = test.host.connect();
  test.host.driver().refuse();
  test.host.finish_batch();
  CHECK(wire->received.starts_with("HTTP/1.1 503 "));
}
