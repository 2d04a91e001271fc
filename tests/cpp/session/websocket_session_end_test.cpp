// How WebSockets end: the closing handshake from either side, pings without answer, broken frames,
// peers that leave, draining and failing (RFC 6455 sections 5.5 and 7).
#include <chrono>
#include <string>
#include <vector>

#include "server/session/connection/connection.h"
#include "support/catch.h"
#include "support/fake_host.h"
#include "support/test_application.h"
#include "support/websocket_client.h"
#include "support/websocket_frames.h"

using namespace cppasgi;
using namespace cppasgi::test;
using Messages = std::vector<std::string>;

namespace {

using namespace std::chrono_literals;

void accept(WebSocketCall& call) { call.responder()->accept({}, {}); }

// An application with one open WebSocket.
struct Open {
  explicit Open(const ServerOptions& options = {}) : host(application, options) {
    application.on_websocket = accept;
    wire = host.connect();
    wire->send(opening_handshake());
    host.finish_batch();
    wire->take();
  }
  WebSocketCall& call() { return *application.websockets.at(0); }

  TestApplication application;
  FakeHost host;
  std::shared_ptr<Wire> wire;
};

}  // namespace

TEST_CASE("WebSocketSession: an application that doesn't answer the handshake in time gives 503",
          "[session][websocket][time]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(opening_handshake());
  CHECK(host.take_announced() == host.now() + 5s);
  host.pass(4'999ms);
  CHECK(wire->received.empty());
  host.pass(1ms);
  CHECK(wire->take().starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(application.websockets.at(0)->disconnects == 1);
  CHECK(application.websockets.at(0)->close_code == 1006);
  CHECK(application.websockets.at(0)->responder() == nullptr);
  CHECK(application.log.size() == 1);
  CHECK(wire->shut_down);
}

TEST_CASE("WebSocketSession: quiet connections are pinged, and cut with 1006 without an answer",
          "[session][websocket][time]") {
  Open open;
  open.host.pass(15s);
  open.wire->send(text_frame("a sign of life"));
  open.host.pass(19'999ms);
  CHECK(open.wire->take().empty());
  open.host.pass(1ms);
  CHECK(open.wire->take() == server_frame(9, ""));
  open.host.pass(29'999ms);
  CHECK(open.wire->take().empty());
  SECTION("a pong: all is well") {
    open.host.take_announced();
    open.wire->send(pong_frame(""));
    CHECK(open.host.take_announced() == open.host.now() + 20s);  // sooner than the time for a pong
    open.host.pass(19'999ms);
    CHECK(open.wire->take().empty());
    open.host.pass(1ms);
    CHECK(open.wire->take() == server_frame(9, ""));
    CHECK(open.call().disconnects == 0);
  }
  SECTION("nothing: it is gone") {
    open.host.pass(1ms);
    CHECK(open.call().disconnects == 1);
    CHECK(open.call().close_code == 1006);
    CHECK(open.call().close_reason.empty());
    CHECK(open.wire->closed);
  }
}

TEST_CASE("WebSocketSession: a peer isn't judged while its messages wait for the application",
          "[session][websocket][time]") {
  ServerOptions options;
  options.incoming.high_bytes = 100;
  Open open(options);
  open.host.pass(20s);
  CHECK(open.wire->take() == server_frame(9, ""));
  open.wire->send(text_frame(std::string(200, 'x')));
  open.wire->send(pong_frame(""));
  CHECK(open.wire->waiting_bytes() > 0);
  for (int i = 0; i < 10; ++i) open.host.pass(50s);
  CHECK(open.call().disconnects == 0);
  CHECK(open.wire->take().starts_with(server_frame(9, "")));  // pings go on all the same
  CHECK(open.call().take());
  open.host.pass(1s);  // what it sent meanwhile is yet to be read
  CHECK(open.call().disconnects == 0);
  open.wire->pump();
  open.host.pass(20s);
  CHECK(open.wire->take() == server_frame(9, ""));
}

TEST_CASE("WebSocketSession: intervals of zero switch pings off, or only the wait for pongs",
          "[session][websocket][time]") {
  ServerOptions options;
  SECTION("no pings") {
    options.timeouts.ping_interval = 0ms;
    Open open(options);
    open.host.pass(20h);
    CHECK(open.wire->take().empty());
    CHECK(open.call().disconnects == 0);
  }
  SECTION("no wait") {
    options.timeouts.ping_timeout = 0ms;
    Open open(options);
    for (int i = 0; i < 10; ++i) {
      open.host.pass(20s);
      CHECK(open.wire->take() == server_frame(9, ""));
    }
    CHECK(open.call().disconnects == 0);
  }
}

TEST_CASE("WebSocketSession: the peer closes with code and reason (RFC 6455 7.1)",
          "[session][websocket][close]") {
  Open open;
  open.wire->send(text_frame("last words"));
  open.application.on_websocket_disconnect = [](WebSocketCall& call) {
    while (call.take()) {  // unread messages can be taken now, and only now
    }
  };
  SECTION("given") {
    open.wire->send(close_frame(3000, "bye"));
    CHECK(open.call().close_code == 3000);
    CHECK(open.call().close_reason == "bye");
    open.host.finish_batch();
    CHECK(open.wire->take() == server_frame(8, close_payload(3000)));
  }
  SECTION("or without any") {
    open.wire->send(encode({.opcode = 8}));
    CHECK(open.call().close_code == 1005);
    open.host.finish_batch();
    CHECK(open.wire->take() == server_frame(8, ""));
  }
  CHECK(open.call().disconnects == 1);
  CHECK(open.call().messages == Messages{"t:last words"});
  CHECK(open.call().responder() == nullptr);
  CHECK(open.wire->closed);  // the server closes first (RFC 6455 7.1.1)
  CHECK_FALSE(open.wire->reset);
  CHECK(open.host.access().ends_with("\"WSDISCONNECT /w\" - -\n"));
}

TEST_CASE("WebSocketSession: the application closes with code and reason (RFC 6455 7.1)",
          "[session][websocket][close]") {
  Open open;
  open.call().responder()->close(4000, "enough");
  open.call().responder()->close(1000, "ignored");
  open.call().responder()->send_text("ignored");
  open.host.finish_batch();
  CHECK(open.wire->take() == server_frame(8, close_payload(4000, "enough")));
  CHECK(open.call().disconnects == 0);  // it isn't over before the peer's answer
  CHECK_FALSE(open.wire->shut_down);
  open.wire->send(text_frame("crossing"));
  CHECK(open.call().message_calls == 0);
  SECTION("the peer answers") {
    open.wire->send(close_frame(4000));
    CHECK(open.call().disconnects == 1);
    CHECK(open.call().close_code == 4000);
    open.host.finish_batch();
    CHECK(open.wire->received.empty());
    CHECK(open.wire->closed);
  }
  SECTION("or leaves") {
    open.wire->end();
    open.host.finish_batch();
    CHECK(open.call().close_code == 1006);
    CHECK(open.wire->closed);
  }
  SECTION("or says nothing") {
    open.host.pass(4'999ms);
    CHECK(open.call().disconnects == 0);
    open.host.pass(1ms);
    CHECK(open.call().close_code == 1006);
    CHECK(open.wire->closed);
  }
  SECTION("or anything but that") {
    for (int i = 0; i < 4; ++i) {
      open.host.pass(1s);
      open.wire->send(text_frame("still here"));
    }
    open.host.pass(1s);
    CHECK(open.call().close_code == 1006);
    CHECK(open.wire->closed);
  }
  CHECK(open.call().disconnects == 1);
  CHECK(open.call().responder() == nullptr);
}

TEST_CASE("WebSocketSession: unread messages don't keep the peer's close frame from us",
          "[session][websocket][close]") {
  ServerOptions options;
  options.incoming.high_bytes = 100;
  Open open(options);
  open.wire->send(text_frame(std::string(200, 'x')));
  CHECK_FALSE(open.wire->reading);
  open.wire->send(close_frame(1000));
  open.call().responder()->close(1000, {});
  open.wire->pump();
  CHECK(open.call().disconnects == 1);
  CHECK(open.call().close_code == 1000);
}

TEST_CASE("WebSocketSession: close inside on_message and start_websocket",
          "[session][websocket][close]") {
  TestApplication application;
  application.on_websocket = accept;
  FakeHost host(application);
  SECTION("on_message: the messages behind it are dropped") {
    application.on_websocket_message = [](WebSocketCall& call) {
      call.take();
      call.responder()->close(1000, {});
    };
    const auto wire = host.connect();
    wire->send(opening_handshake());
    host.finish_batch();
    wire->send(text_frame("a") + text_frame("b") + close_frame(1000));
    CHECK(application.websockets.at(0)->messages == Messages{"t:a"});
  }
  SECTION("start_websocket, right after accept") {
    application.on_websocket = [](WebSocketCall& call) {
      accept(call);
      call.responder()->send_text("hi");
      call.responder()->close(1000, {});
    };
    const auto wire = host.connect();
    wire->send(opening_handshake());
    host.finish_batch();
    CHECK(wire->take() ==
          accepted() + server_frame(1, "hi") + server_frame(8, close_payload(1000)));
    wire->send(close_frame(1000));
  }
  CHECK(application.websockets.at(0)->disconnects == 1);
  CHECK(application.websockets.at(0)->close_code == 1000);
}

TEST_CASE("WebSocketSession: broken frames are answered with a close frame, then it is over",
          "[session][websocket][close]") {
  Open open;
  open.wire->send(encode({.opcode = 1, .payload = "unmasked", .masked = false}) +
                  text_frame("ignored"));
  open.host.finish_batch();
  CHECK(open.call().disconnects == 1);
  CHECK(open.call().close_code == 1006);
  CHECK(open.call().message_calls == 0);
  CHECK(open.call().responder() == nullptr);
  CHECK(open.wire->take() == server_frame(8, close_payload(1002, "frame not masked")));
  CHECK(open.wire->shut_down);
  CHECK(open.application.log == std::vector<std::string>{"192.0.2.7:40000: frame not masked"});
  open.host.pass(2s);
  CHECK(open.wire->closed);
}

TEST_CASE("WebSocketSession: what came before a broken frame can still be answered",
          "[session][websocket][close]") {
  Open open;
  open.wire->send(text_frame("good") + encode({.opcode = 3, .payload = "bad"}));
  REQUIRE(open.call().message_calls == 1);
  open.call().responder()->send_text("answer");
  open.host.finish_batch();
  CHECK(open.wire->take() ==
        server_frame(1, "answer") + server_frame(8, close_payload(1002, "reserved opcode")));
  CHECK(open.call().close_code == 1006);
}

TEST_CASE("WebSocketSession: broken frames end it without a close frame, as with Daphne",
          "[session][websocket][close]") {
  ServerOptions options;
  options.daphne_strict = true;
  Open open(options);
  open.wire->send(encode({.opcode = 1, .payload = "unmasked", .masked = false}));
  open.host.finish_batch();
  CHECK(open.call().disconnects == 1);
  CHECK(open.call().close_code == 1006);
  CHECK(open.wire->take().empty());
  CHECK(open.wire->closed);
}

TEST_CASE("WebSocketSession: a peer that leaves gives 1006, once, in every state",
          "[session][websocket][end]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(opening_handshake());
  host.finish_batch();
  WebSocketCall& call = *application.websockets.at(0);
  const int state = GENERATE(0, 1, 2, 3);
  if (state == 1) call.responder()->deny_head({404, {}});
  if (state >= 2) accept(call);
  if (state == 3) call.responder()->close(1000, {});
  CHECK(host.websockets.size() == 1);
  if (GENERATE(true, false)) {
    wire->end();
  } else {
    wire->fail();
  }
  CHECK(call.disconnects == 1);
  CHECK(call.close_code == 1006);
  CHECK(call.responder() == nullptr);
  CHECK(host.websockets.size() == 0);
  host.finish_batch();
  CHECK(call.disconnects == 1);
  CHECK(wire->closed);
  CHECK(host.connections() == 0);
}

TEST_CASE("WebSocketSession: a restart closes with 1012", "[session][websocket][drain]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(opening_handshake());
  accept(*application.websockets.at(0));
  host.finish_batch();
  CHECK(host.driver().activity().client_returns);
  host.drain(ShutdownReason::Restart);
  CHECK_FALSE(host.driver().activity().client_returns);
  CHECK(wire->take() == accepted() + server_frame(8, close_payload(1012, "Server is restarting")));
}

TEST_CASE("WebSocketSession: draining closes with 1001", "[session][websocket][drain]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(opening_handshake());
  WebSocketCall& call = *application.websockets.at(0);
  SECTION("when open") {
    accept(call);
    host.drain();
  }
  SECTION("when accepted after the drain began") {
    host.drain();
    CHECK(call.disconnects == 0);
    accept(call);
    host.finish_batch();
  }
  CHECK(wire->take() ==
        accepted() + server_frame(8, close_payload(1001, "Server is shutting down")));
  wire->send(close_frame(1001));
  CHECK(call.disconnects == 1);
  CHECK(call.close_code == 1001);
}

TEST_CASE("WebSocketSession: fail() gives 500 before accept, 1011 after it",
          "[session][websocket][fail]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(opening_handshake());
  WebSocketCall& call = *application.websockets.at(0);
  SECTION("before") {
    call.responder()->fail();
    host.finish_batch();
    CHECK(wire->take().starts_with("HTTP/1.1 500 Internal Server Error\r\n"));
    CHECK(call.close_code == 1006);
  }
  SECTION("after") {
    accept(call);
    call.responder()->fail();
    host.finish_batch();
    CHECK(wire->take() == accepted() + server_frame(8, close_payload(1011)));
    wire->send(close_frame(1011));
    CHECK(call.close_code == 1011);
  }
  CHECK(call.disconnects == 1);
  CHECK(call.responder() == nullptr);
}

TEST_CASE(
    "WebSocketSession: a cut connection tells an application that set a handler, and no other",
    "[session][websocket][cut]") {
  Open open;
  const bool with_handler = GENERATE(true, false);
  if (!with_handler) open.call().responder()->set_handler(nullptr);
  open.host.connection().cut(session::Blame::Client);
  open.host.connection().cut(session::Blame::Client);
  open.host.finish_batch();
  CHECK(open.wire->closed);
  CHECK(open.call().disconnects == (with_handler ? 1 : 0));
  CHECK(open.call().responder() == nullptr);
}
