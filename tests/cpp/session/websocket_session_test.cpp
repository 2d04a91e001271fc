// The application's answer to the opening handshake, then messages both ways with back-pressure
// (RFC 6455 sections 4.2 and 5). How it ends is in websocket_session_end_test.cpp.
#include "server/session/exchange/websocket_session.h"

#include <string>
#include <vector>

#include "support/catch.h"
#include "support/fake_host.h"
#include "support/feed.h"
#include "support/test_application.h"
#include "support/websocket_client.h"
#include "support/websocket_frames.h"

using namespace cppasgi;
using namespace cppasgi::test;
using Messages = std::vector<std::string>;

namespace {

ServerOptions small_marks() {
  ServerOptions options;
  options.incoming = {.high_bytes = 1000, .low_bytes = 100};
  options.outgoing = {.high_bytes = 100, .low_bytes = 10};
  options.websocket.max_unsent_bytes = 100;
  return options;
}

void accept(WebSocketCall& call) { call.responder()->accept({}, {}); }

void take_all(WebSocketCall& call) {
  while (call.take()) {
  }
}

}  // namespace

TEST_CASE("WebSocketSession: accept answers the opening handshake (RFC 6455 4.2.2)",
          "[session][websocket]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(opening_handshake("Sec-WebSocket-Protocol: a, b\r\n"));
  host.finish_batch();
  WebSocketCall& call = *application.websockets.at(0);
  CHECK(application.http.empty());
  CHECK(wire->received.empty());
  CHECK(call.responder()->request().target() == "/w?q=1");
  CHECK(call.responder()->connection().client == wire->client);
  CHECK(call.responder()->subprotocols() == std::vector<std::string>{"a", "b"});
  SECTION("plainly") {
    call.responder()->accept({}, {});
    host.finish_batch();
    CHECK(wire->take() == accepted());
    CHECK(call.responder()->request().target().empty());  // nobody needs it any more
  }
  SECTION("with subprotocol and fields") {
    call.responder()->accept("b", {{"x-one", "1"}});
    host.finish_batch();
    CHECK(wire->take() == accepted("Sec-WebSocket-Protocol: b\r\nx-one: 1\r\n"));
  }
  CHECK(host.access() ==
        "192.0.2.7:40000 \"WSCONNECTING /w\" - -\n192.0.2.7:40000 \"WSCONNECT /w\" - -\n");
  CHECK(call.disconnects == 0);
}

TEST_CASE("WebSocketSession: it works the same however the bytes are split",
          "[session][websocket]") {
  const std::string input = "GET / HTTP/1.1\r\nHost: x\r\n\r\n" + opening_handshake() +
                            text_frame("one") + binary_frame("two") + ping_frame("p");
  for_every_split(input, [](const Pieces& pieces) {
    TestApplication application;
    application.on_http = [](HttpCall& call) { call.answer({}); };
    application.on_websocket = accept;
    FakeHost host(application);
    const auto wire = host.connect();
    for (const std::string_view piece : pieces) {
      wire->send(piece);
      host.finish_batch();
    }
    REQUIRE(application.websockets.size() == 1);
    take_all(*application.websockets[0]);
    const std::string expected =
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" + accepted() + server_frame(10, "p");
    if (wire->received != expected) CHECK(wire->received == expected);
    if (application.websockets[0]->messages != Messages{"t:one", "b:two"})
      CHECK(application.websockets[0]->messages == Messages{"t:one", "b:two"});
  });
}

TEST_CASE("WebSocketSession: bytes that come before accept are kept and delivered after it",
          "[session][websocket]") {
  TestApplication application;
  FakeHost host(application, small_marks());
  const auto wire = host.connect();
  wire->send(opening_handshake() + text_frame("early"));
  host.finish_batch();
  wire->send(text_frame("second"));
  host.finish_batch();
  wire->send(text_frame(std::string(1000, 'x')));
  CHECK_FALSE(wire->reading);  // no more than the high-water mark of them
  wire->send(text_frame("late"));
  WebSocketCall& call = *application.websockets.at(0);
  CHECK(call.message_calls == 0);
  accept(call);
  CHECK(call.message_calls == 0);  // not inside the call
  host.finish_batch();
  CHECK(call.message_calls == 3);
  take_all(call);
  wire->pump();
  take_all(call);
  CHECK(call.messages == Messages{"t:early", "t:second", "t:" + std::string(1000, 'x'), "t:late"});
  CHECK(wire->take() == accepted());
}

TEST_CASE("WebSocketSession: close before accept refuses with 403", "[session][websocket]") {
  TestApplication application;
  SECTION("at once") {
    application.on_websocket = [](WebSocketCall& call) { call.responder()->close(1000, {}); };
  }
  SECTION("later") {}
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(opening_handshake());
  WebSocketCall& call = *application.websockets.at(0);
  if (call.responder() != nullptr) call.responder()->close(4000, "unused");
  CHECK(call.responder() == nullptr);
  CHECK(call.disconnects == 1);
  CHECK(call.close_code == 1006);
  host.finish_batch();
  CHECK(wire->take().starts_with("HTTP/1.1 403 Forbidden\r\n"));
  CHECK(wire->shut_down);
  CHECK(host.access() ==
        "192.0.2.7:40000 \"WSCONNECTING /w\" - -\n192.0.2.7:40000 \"WSREJECT /w\" - -\n");
  CHECK(application.log.empty());
}

TEST_CASE("WebSocketSession: a denial is a response of the application's (RFC 6455 4.2.2)",
          "[session][websocket]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(opening_handshake());
  WebSocketCall& call = *application.websockets.at(0);
  SECTION("in one piece") {
    call.responder()->deny_head({401, {{"x-why", "no"}}});
    CHECK(call.responder()->deny_content("Who?", More::No) == SendStatus::Sent);
    host.finish_batch();
    CHECK(wire->take() ==
          "HTTP/1.1 401 Unauthorized\r\nx-why: no\r\ncontent-length: 4\r\n"
          "connection: close\r\n\r\nWho?");
  }
  SECTION("in several") {
    call.responder()->deny_head({404, {}});
    CHECK(call.responder()->deny_content("a", More::Yes) == SendStatus::Sent);
    host.finish_batch();
    CHECK(wire->take().ends_with("\r\n\r\n1\r\na\r\n"));
    CHECK(call.disconnects == 0);
    call.responder()->accept({}, {});  // too late
    CHECK(call.responder()->deny_content("b", More::No) == SendStatus::Sent);
    host.finish_batch();
    CHECK(wire->take() == "1\r\nb\r\n0\r\n\r\n");
  }
  SECTION("too long for its Content-Length, then as announced (RFC 9110 8.6)") {
    call.responder()->deny_head({400, {{"content-length", "1"}}});
    CHECK(call.responder()->deny_content("ab", More::No) == SendStatus::TooLong);
    CHECK(call.responder()->deny_content("a", More::No) == SendStatus::Sent);
    host.finish_batch();
    CHECK(wire->take().ends_with("\r\n\r\na"));
  }
  SECTION("too short for its Content-Length: 500") {
    call.responder()->deny_head({400, {{"content-length", "2"}}});
    CHECK(call.responder()->deny_content("a", More::No) == SendStatus::TooShort);
    host.finish_batch();
    CHECK(wire->take().starts_with("HTTP/1.1 500 "));
  }
  SECTION("that fails with only its head given: 500") {
    call.responder()->deny_head({400, {}});
    call.responder()->fail();
    host.finish_batch();
    CHECK(wire->take().starts_with("HTTP/1.1 500 "));
  }
  CHECK(call.responder() == nullptr);
  CHECK(call.disconnects == 1);
  CHECK(call.close_code == 1006);
  CHECK(wire->shut_down);
  CHECK_FALSE(wire->reset);
  CHECK(host.access().ends_with("\"WSREJECT /w\" - -\n"));
}

TEST_CASE("WebSocketSession: a denial that fails halfway is cut", "[session][websocket]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(opening_handshake());
  WebSocketCall& call = *application.websockets.at(0);
  call.responder()->deny_head({400, {{"content-length", "5"}}});
  call.responder()->deny_content("ab", More::Yes);
  host.finish_batch();
  SECTION("by fail()") { call.responder()->fail(); }
  SECTION("by its length") {
    CHECK(call.responder()->deny_content("c", More::No) == SendStatus::TooShort);
  }
  CHECK(call.responder() == nullptr);
  CHECK(call.disconnects == 1);
  host.finish_batch();
  CHECK(wire->closed);
}

TEST_CASE("WebSocketSession: a bad opening handshake is answered by the server, with one line each",
          "[session][websocket]") {
  struct Case {
    std::string method;
    std::string field;
    std::string status;
  };
  const auto [method, field, status] = GENERATE(values<Case>({
      {"GET", "Sec-WebSocket-Version: 13\r\n", "400"},
      {"POST", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
       "405"},
      {"GET", "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "426"},
  }));
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(method + " /w HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n" +
             field + "\r\n");
  host.finish_batch();
  CHECK(wire->received.starts_with("HTTP/1.1 " + status + ' '));
  CHECK((wire->received.find("sec-websocket-version: 13\r\n") != std::string::npos) ==
        (status == "426"));
  CHECK(wire->closed);
  CHECK(application.websockets.empty());
  CHECK(application.http.empty());
  CHECK(application.log.size() == 1);
  const std::string content = wire->received.substr(wire->received.find("\r\n\r\n") + 4);
  CHECK(host.access() == "192.0.2.7:40000 \"" + method + " /w\" " + status + ' ' +
                             std::to_string(content.size()) + '\n');
}

TEST_CASE("WebSocketSession: messages go out as they are sent, after the acceptance",
          "[session][websocket]") {
  TestApplication application;
  application.on_websocket = [](WebSocketCall& call) {
    accept(call);
    call.responder()->send_text("first");
  };
  FakeHost host(application);
  const auto wire = host.connect();
  wire->limit_room(20);
  wire->send(opening_handshake());
  application.websockets.at(0)->responder()->send_binary("second");
  host.finish_batch();
  application.websockets.at(0)->responder()->send_text("third");
  host.finish_batch();
  wire->drain();
  host.finish_batch();
  CHECK(wire->take() == accepted() + server_frame(1, "first") + server_frame(2, "second") +
                            server_frame(1, "third"));
}

TEST_CASE("WebSocketSession: reading stops while messages above the mark wait, empty ones too",
          "[session][websocket][backpressure]") {
  TestApplication application;
  application.on_websocket = accept;
  FakeHost host(application, small_marks());
  const auto wire = host.connect();
  wire->send(opening_handshake());
  WebSocketCall& call = *application.websockets.at(0);
  const std::string payload = GENERATE(std::string(), std::string(300, 'x'));
  for (int i = 0; i < 100; ++i) wire->send(text_frame(payload));
  CHECK_FALSE(wire->reading);
  CHECK(call.message_calls < 40);
  CHECK(wire->waiting_bytes() > 0);
  for (int i = 0; i < 100; ++i) {
    CHECK(call.take());
    wire->pump();
  }
  CHECK_FALSE(call.take());
  CHECK(wire->reading);
  CHECK(call.messages == Messages(100, "t:" + payload));
}

TEST_CASE("WebSocketSession: messages keep their order when some always wait",
          "[session][websocket]") {
  TestApplication application;
  application.on_websocket = accept;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(opening_handshake());
  WebSocketCall& call = *application.websockets.at(0);
  Messages expected;
  for (int i = 0; i < 50; ++i) {
    wire->send(text_frame(std::to_string(i)));
    expected.push_back("t:" + std::to_string(i));
    if (i >= 3) CHECK(call.take());
  }
  take_all(call);
  CHECK(call.messages == expected);
}

TEST_CASE(
    "WebSocketSession: writable() is false while the peer doesn't read, then on_writable comes",
    "[session][websocket][backpressure]") {
  TestApplication application;
  application.on_websocket = accept;
  FakeHost host(application, small_marks());
  const auto wire = host.connect();
  wire->send(opening_handshake());
  host.finish_batch();
  WebSocketCall& call = *application.websockets.at(0);
  wire->limit_room(10);
  call.responder()->send_binary(std::string(100, 'x'));
  CHECK(call.responder()->poll_writable());
  call.responder()->send_binary(std::string(100, 'x'));
  CHECK_FALSE(call.responder()->poll_writable());
  CHECK(call.writable_calls == 0);
  wire->drain();
  CHECK(call.writable_calls == 1);
  CHECK(call.responder()->poll_writable());
}

TEST_CASE("WebSocketSession: a peer that sends pings has to read the pongs",
          "[session][websocket][backpressure]") {
  TestApplication application;
  application.on_websocket = accept;
  FakeHost host(application, small_marks());
  const auto wire = host.connect();
  wire->send(opening_handshake());
  host.finish_batch();
  wire->take();
  wire->limit_room(0);
  for (int i = 0; i < 100; ++i) {
    wire->send(ping_frame("0123456789"));
    host.finish_batch();
  }
  CHECK_FALSE(wire->reading);
  CHECK(wire->waiting_bytes() > 80 * ping_frame("0123456789").size());
  for (int i = 0; i < 100; ++i) {
    wire->drain();
    host.finish_batch();
    wire->pump();
  }
  host.finish_batch();
  CHECK(wire->waiting_bytes() == 0);
  CHECK(wire->received.size() == 100 * server_frame(10, "0123456789").size());
}
