// What a WebSocket may cost in time and memory: its age, its idleness, unread messages, clients
// that read slowly or not at all.
#include <chrono>
#include <memory>
#include <string>

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

// An application with one open WebSocket.
struct Open {
  explicit Open(const ServerOptions& options) : host(application, options) {
    application.on_websocket = [](WebSocketCall& call) { call.responder()->accept({}, {}); };
    wire = host.connect();
    wire->send(opening_handshake());
    host.finish_batch();
    wire->take();
  }
  WebSocketCall& call() { return *application.websockets.at(0); }
  void send(std::string_view text) {
    call().responder()->send_text(text);
    host.finish_batch();
  }

  TestApplication application;
  FakeHost host;
  std::shared_ptr<Wire> wire;
};

std::string closed_with(unsigned code, std::string_view reason) {
  return server_frame(8, close_payload(code, reason));
}

// Times of which none ever comes.
ServerOptions endless() {
  constexpr auto kMost = std::chrono::milliseconds::max();
  ServerOptions options;
  options.timeouts = {kMost, kMost, kMost, kMost, kMost, kMost,
                      kMost, kMost, kMost, kMost, kMost, kMost};
  return options;
}

// Without pings, so that only what a test sets has a deadline.
ServerOptions quiet() {
  ServerOptions options;
  options.timeouts.ping_interval = 0ms;
  options.timeouts.websocket_age = 0ms;
  options.timeouts.send = 0ms;
  return options;
}

}  // namespace

TEST_CASE("WebSocketSession: times without end never come", "[session][websocket][time]") {
  Open open(endless());
  open.host.pass(10'000h);
  CHECK(open.wire->take().empty());
  open.call().responder()->close(1000, {});
  open.host.pass(10'000h);
  CHECK(open.wire->take() == closed_with(1000, {}));
  CHECK(open.call().disconnects == 0);
  open.wire->send(close_frame(1000));
  CHECK(open.call().close_code == 1000);
}

TEST_CASE("WebSocketSession: none stays open for longer than its age, however busy it is",
          "[session][websocket][time]") {
  ServerOptions options = quiet();
  options.timeouts.websocket_age = 10s;
  Open open(options);
  for (int i = 0; i < 9; ++i) {
    open.host.pass(1s);
    open.wire->send(text_frame("busy"));
  }
  open.host.pass(999ms);
  CHECK(open.wire->take().empty());
  open.host.pass(1ms);
  CHECK(open.wire->take() == closed_with(1000, "Open for too long"));
  open.wire->send(close_frame(1000));
  CHECK(open.call().close_code == 1000);
}

TEST_CASE("WebSocketSession: an idle one is closed; messages of either side count, pings don't",
          "[session][websocket][time]") {
  ServerOptions options = quiet();
  options.timeouts.websocket_idle = 10s;
  options.timeouts.ping_interval = 4s;
  Open open(options);
  open.host.pass(6s);
  open.wire->send(text_frame("a"));
  open.host.pass(6s);
  open.wire->send(pong_frame(""));
  open.send("b");
  open.wire->take();
  open.host.pass(9'999ms);
  CHECK(open.wire->take() == server_frame(9, ""));
  open.wire->send(pong_frame(""));
  open.host.pass(1ms);
  CHECK(open.wire->take() == closed_with(1000, "Idle for too long"));
}

TEST_CASE("WebSocketSession: reading stops at a number of unread messages",
          "[session][websocket][limits]") {
  ServerOptions options = quiet();
  options.websocket.max_queued_messages = 3;
  Open open(options);
  open.wire->send(text_frame("1") + text_frame("2"));
  CHECK(open.wire->reading);
  open.wire->send(text_frame("3"));
  CHECK_FALSE(open.wire->reading);
  CHECK(open.call().take());
  CHECK(open.wire->reading);
}

TEST_CASE("WebSocketSession: more than may wait for a client closes with 1013, if so chosen",
          "[session][websocket][limits]") {
  ServerOptions options = quiet();
  options.websocket.max_unsent_bytes = 100;
  options.websocket.slow_reader = SlowReader::Drop;
  Open open(options);
  open.wire->limit_room(0);
  open.send(std::string(1000, 'x'));  // one message of any size
  CHECK(open.call().responder()->poll_writable());
  open.send("too much");
  CHECK(open.application.log.size() == 1);
  open.send("ignored");
  CHECK(open.call().responder()->poll_writable());
  open.wire->drain();
  CHECK(open.wire->take() ==
        server_frame(1, std::string(1000, 'x')) + closed_with(1013, "Reads too slowly"));
  open.wire->send(close_frame(1013));
  CHECK(open.call().close_code == 1013);
  CHECK(open.application.log.size() == 1);
}

TEST_CASE("WebSocketSession: a close frame has all the time that a slow client takes to read",
          "[session][websocket][close]") {
  ServerOptions options = quiet();
  options.timeouts.send = 60s;
  Open open(options);
  open.wire->limit_room(0);
  open.send(std::string(1000, 'x'));
  open.call().responder()->close(1000, {});
  open.host.finish_batch();
  SECTION("and reads: then it has the usual time to answer") {
    for (int i = 0; i < 10; ++i) {
      open.host.pass(30s);
      open.wire->drain_some(10);
      CHECK(open.call().disconnects == 0);
    }
    open.wire->drain();
    CHECK(open.wire->take() == server_frame(1, std::string(1000, 'x')) + closed_with(1000, {}));
    open.host.pass(4s);
    CHECK(open.call().disconnects == 0);
    open.host.pass(10s);
    CHECK(open.call().close_code == 1006);
    CHECK(open.wire->closed);
  }
  SECTION("but not without reading") {
    open.host.pass(60s);
    CHECK(open.call().close_code == 1006);
    CHECK(open.wire->closed);
  }
}

TEST_CASE("WebSocketSession: a client isn't given up while it reads, though its pong is late",
          "[session][websocket][time]") {
  ServerOptions options = quiet();
  options.timeouts.ping_interval = 20s;
  Open open(options);
  open.wire->limit_room(0);
  open.send(std::string(1000, 'x'));
  SECTION("it reads: pinged again later") {
    open.host.pass(20s);
    open.wire->drain_some(10);
    open.host.pass(30s);
    CHECK(open.call().disconnects == 0);
    open.wire->drain();
    open.wire->take();
    open.host.pass(20s);
    CHECK(open.wire->take() == server_frame(9, ""));
    open.host.pass(30s);
    CHECK(open.call().close_code == 1006);
  }
  SECTION("it doesn't") {
    open.host.pass(20s);
    open.host.pass(30s);
    CHECK(open.call().close_code == 1006);
    CHECK(open.wire->closed);
  }
}
