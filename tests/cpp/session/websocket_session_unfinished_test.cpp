// Messages that come in parts, and don't end: the time and the memory that they get.
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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

constexpr auto kTime = 60s;  // by default
constexpr std::size_t kLeast = 16 * 1024;

// Without other times.
ServerOptions quiet() {
  ServerOptions options;
  options.timeouts.ping_interval = 0ms;
  options.timeouts.websocket_age = 0ms;
  return options;
}

struct Server {
  explicit Server(const ServerOptions& options = quiet()) : host(application, options) {
    application.on_websocket = [](WebSocketCall& call) { call.responder()->accept({}, {}); };
    application.on_websocket_message = [](WebSocketCall& call) { call.take(); };
  }
  std::shared_ptr<Wire> connect() {
    const auto wire = host.connect();
    wire->send(opening_handshake());
    host.finish_batch();
    wire->take();
    host.take_announced();
    return wire;
  }
  WebSocketCall& call() { return *application.websockets.at(0); }
  std::uint64_t count(Limit limit) const {
    return host.metrics->limits.at(static_cast<std::size_t>(limit)).value();
  }

  TestApplication application;
  FakeHost host;
};

std::string part(std::size_t size, unsigned opcode = 0) {
  return encode({.opcode = opcode, .payload = std::string(size, 'x'), .final = false});
}

const std::string kTooLong = server_frame(8, close_payload(1008, "message took too long"));

// The message that is under way has all of its time from now on, and no more.
void check_it_takes_too_long(Server& server, Wire& wire) {
  server.host.pass(kTime - 1ms);
  CHECK(wire.take().empty());
  server.host.pass(1ms);
  CHECK(wire.take() == kTooLong);
}

}  // namespace

TEST_CASE("WebSocketSession: a message whose rest doesn't come is closed with 1008",
          "[session][websocket][time]") {
  Server server;
  const auto wire = server.connect();
  const std::string frame = text_frame("in parts");
  wire->send(GENERATE(true, false) ? part(10, 2) : frame.substr(0, frame.size() - 1));
  CHECK(server.host.take_announced() == server.host.now() + kTime);
  CHECK(server.host.message_memory.bytes() > 0);
  check_it_takes_too_long(server, *wire);
  CHECK(server.call().close_code == 1006);
  CHECK(server.call().close_reason == "message took too long");
  CHECK(server.count(Limit::TimeoutWebSocketMessage) == 1);
  CHECK(server.host.message_memory.bytes() == 0);
  CHECK(server.application.log ==
        std::vector<std::string>{"192.0.2.7:40000: message took too long"});
}

TEST_CASE("WebSocketSession: a byte now and then doesn't keep a message, nor do pings",
          "[session][websocket][time]") {
  Server server;
  const auto wire = server.connect();
  wire->send(part(10, 2));
  const std::string more = GENERATE(part(1), part(0), ping_frame("x"));
  for (int second = 1; second < 60; ++second) {
    server.host.pass(1s);
    wire->send(more);
    CHECK_FALSE(wire->shut_down);
  }
  server.host.finish_batch();
  wire->take();
  server.host.pass(1s);
  CHECK(wire->take() == kTooLong);
}

TEST_CASE("WebSocketSession: a message that comes on has all the time it needs",
          "[session][websocket][time]") {
  Server server;
  const auto wire = server.connect();
  wire->send(part(10, 2));
  for (int minute = 0; minute < 30; ++minute) {
    server.host.pass(kTime - 1ms);
    wire->send(part(kLeast));
    server.host.pass(1ms);
    CHECK_FALSE(wire->shut_down);
  }
  wire->send(part(kLeast - 1));
  server.host.pass(kTime);
  CHECK(wire->take() == kTooLong);
}

TEST_CASE("WebSocketSession: the time is each message's own", "[session][websocket][time]") {
  Server server;
  const auto wire = server.connect();
  wire->send(part(10, 2));
  server.host.pass(kTime - 1ms);
  SECTION("the rest comes in time") {
    wire->send(encode({.opcode = 0, .payload = "x"}));
    server.host.pass(10 * kTime);
    CHECK(wire->take().empty());
    CHECK(server.call().messages.size() == 1);
    wire->send(part(10, 2));
    check_it_takes_too_long(server, *wire);
  }
  SECTION("with it comes a part of the next") {
    wire->send(encode({.opcode = 0, .payload = "x"}) + part(10, 2));
    check_it_takes_too_long(server, *wire);
  }
}

TEST_CASE("WebSocketSession: who isn't read has time for the rest of its message",
          "[session][websocket][time]") {
  ServerOptions options = quiet();
  options.websocket.max_queued_messages = 1;
  Server server(options);
  server.application.on_websocket_message = nullptr;
  const auto wire = server.connect();
  wire->send(text_frame("not taken") + part(10, 2));
  CHECK_FALSE(wire->reading);
  server.host.pass(10 * kTime);
  CHECK(wire->take().empty());
  server.host.pass(kTime / 2);
  CHECK(server.call().take());
  CHECK(wire->reading);
  CHECK(server.host.take_announced() <= server.host.now() + kTime);
  check_it_takes_too_long(server, *wire);
}

TEST_CASE("WebSocketSession: without the time-out a message may wait for ever",
          "[session][websocket][time]") {
  ServerOptions options = quiet();
  options.timeouts.websocket_message = 0ms;
  Server server(options);
  const auto wire = server.connect();
  wire->send(part(10, 2));
  server.host.pass(1'000h);
  CHECK(wire->take().empty());
}

TEST_CASE("WebSocketSession: parts of messages beyond the memory for all are closed with 1013",
          "[session][websocket][limits]") {
  ServerOptions options = quiet();
  options.websocket.max_unfinished_bytes = 100'000;
  Server server(options);
  std::vector<std::shared_ptr<Wire>> wires;
  for (int i = 0; i < 3; ++i) {
    wires.push_back(server.connect());
    wires.back()->send(part(40'000, 2));
    server.host.finish_batch();
  }
  CHECK(wires[0]->take().empty());
  CHECK(wires[1]->take().empty());
  CHECK(wires[2]->take() == server_frame(8, close_payload(1013, "too many unfinished messages")));
  CHECK(server.application.websockets[2]->close_code == 1006);
  CHECK(server.count(Limit::WebSocketUnfinished) == 1);
  CHECK(server.application.log.size() == 1);
  wires[0]->fail();
  server.host.finish_batch();
  CHECK(server.host.message_memory.bytes() < 50'000);
  wires[1]->send(encode({.opcode = 0, .payload = "x"}));
  CHECK(server.application.websockets[1]->messages.size() == 1);
  CHECK(server.host.message_memory.bytes() == 0);
}

TEST_CASE("WebSocketSession: a message is dropped with its connection, whoever closes",
          "[session][websocket][limits]") {
  Server server;
  const auto wire = server.connect();
  wire->send(part(10'000, 2));
  CHECK(server.host.message_memory.bytes() >= 10'000);
  SECTION("the client leaves") { wire->end(); }
  SECTION("the client closes") { wire->send(close_frame(1000)); }
  SECTION("the application closes, and the client goes on") {
    server.call().responder()->close(1000, {});
    server.host.finish_batch();
    wire->send(part(10'000));
    server.host.pass(server.host.options.timeouts.websocket_close);
  }
  server.host.finish_batch();
  CHECK(server.host.message_memory.bytes() == 0);
}
