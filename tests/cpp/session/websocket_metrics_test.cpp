// What a WebSocket counts (server/metrics.h), and under which name.
#include <chrono>
#include <string>

#include "session/counted_client.h"
#include "support/catch.h"
#include "support/websocket_client.h"
#include "support/websocket_frames.h"

using namespace cppasgi;
using namespace cppasgi::test;
using namespace std::chrono_literals;

// --- WebSocket: the opening handshake ---

TEST_CASE("WebSocketSession: every opening handshake is counted once", "[session][metrics]") {
  CountedClient client;
  auto& behave = client.application.on_websocket;
  Handshake expected = Handshake::Accepted;
  std::string request = opening_handshake();
  const bool refused_late = GENERATE(false, true);
  SECTION("accepted") {}
  SECTION("forbidden") {
    expected = Handshake::Forbidden;
    behave = [](WebSocketCall& call) { call.responder()->close(1000, {}); };
  }
  SECTION("denied, whether or not the client waits for all of it") {
    expected = Handshake::Denied;
    behave = [refused_late](WebSocketCall& call) {
      call.responder()->deny_head({401, {}});
      call.responder()->deny_content("no", refused_late ? More::Yes : More::No);
    };
  }
  SECTION("denied by an application that fails then") {
    expected = Handshake::Denied;
    behave = [](WebSocketCall& call) {
      call.responder()->deny_head({401, {}});
      call.responder()->fail();
    };
  }
  SECTION("failed") {
    expected = Handshake::ApplicationError;
    behave = [](WebSocketCall& call) { call.responder()->fail(); };
  }
  SECTION("of another version") {
    expected = Handshake::Version;
    request.replace(request.find("Version: 13"), 11, "Version: 12");
  }
  SECTION("invalid") {
    expected = Handshake::Invalid;
    request.replace(request.find("dGhl"), 4, "x");
  }
  SECTION("too late") {
    expected = Handshake::Timeout;
    behave = nullptr;
  }
  SECTION("the client leaves") {
    expected = Handshake::ClientLeft;
    behave = nullptr;
  }
  client.send(request);
  if (expected == Handshake::Timeout) client.host.pass(5s);
  client.wire->end();
  client.host.finish_batch();
  std::uint64_t all = 0;
  for (const Counter& counter : client.metrics().handshakes) all += counter.value();
  CHECK(client.count(expected) == 1);
  CHECK(all == 1);
  CHECK(client.count(Limit::WebSocketConnectTimeout) == (expected == Handshake::Timeout ? 1 : 0));
  CHECK(client.metrics().websockets.value() == 0);
  CHECK(client.disconnects() == (expected == Handshake::Accepted ? 1 : 0));
}

// --- WebSocket: messages ---

TEST_CASE("WebSocketSession: messages are counted both ways, and those not received yet",
          "[session][metrics]") {
  CountedClient client;
  client.send(opening_handshake());
  CHECK(client.metrics().websockets.value() == 1);
  client.send(text_frame("one") + binary_frame("two") + ping_frame("no message"));
  CHECK(client.metrics().messages_received.value() == 2);
  CHECK(client.metrics().messages_queued.value() == 2);
  client.websocket().take();
  CHECK(client.metrics().messages_queued.value() == 1);
  client.websocket().responder()->send_text("three");
  CHECK(client.metrics().messages_sent.value() == 1);
  CHECK(client.metrics().send_duration.buckets[0].value() == 1);
  client.wire->end();
  client.host.finish_batch();
  CHECK(client.metrics().messages_queued.value() == 0);
  CHECK(client.metrics().disconnects_1000.at(6).value() == 1);
}

TEST_CASE("WebSocketSession: sends that wait for a slow client are timed once each",
          "[session][metrics]") {
  CountedClient client;
  client.send(opening_handshake());
  client.wire->limit_room(0);
  const std::string message(10'000, 'x');
  client.websocket().responder()->send_text(message);
  CHECK(total(client.metrics().send_duration) == 1);
  client.websocket().responder()->send_text(message);  // more than 16 KiB wait
  client.websocket().responder()->send_text(message);
  CHECK(total(client.metrics().send_duration) == 1);
  CHECK(client.count(Limit::WebSocketUnsent) == 1);
  client.send(ping_frame("its pong would have to wait too"));
  CHECK_FALSE(client.wire->reading);
  CHECK(client.count(Limit::WebSocketQueue) == 0);
  const bool leaves = GENERATE(false, true);
  if (leaves) {
    client.wire->fail();
  } else {
    client.wire->drain();
  }
  client.host.finish_batch();
  CHECK(total(client.metrics().send_duration) == 3);
  CHECK(client.metrics().send_duration.sum.value() > 0);
  CHECK(client.metrics().messages_sent.value() == 3);
}

TEST_CASE("WebSocketSession: a full queue of messages is counted when reading stops",
          "[session][metrics]") {
  ServerOptions options;
  options.websocket.max_queued_messages = 2;
  CountedClient client(options);
  client.send(opening_handshake());
  client.send(text_frame("one"));
  CHECK(client.count(Limit::WebSocketQueue) == 0);
  client.send(text_frame("two"));
  CHECK(client.count(Limit::WebSocketQueue) == 1);
}

TEST_CASE("WebSocketSession: a pong is timed, one without a ping isn't", "[session][metrics]") {
  CountedClient client;
  client.send(opening_handshake());
  client.send(pong_frame(""));
  CHECK(total(client.metrics().ping_duration) == 0);
  client.host.pass(20s);
  client.send(pong_frame("") + pong_frame(""));
  CHECK(total(client.metrics().ping_duration) == 1);
}

// --- WebSocket: the end ---

TEST_CASE("WebSocketSession: an end is counted by the first close frame, and the limit behind it",
          "[session][metrics]") {
  ServerOptions options;
  options.websocket.max_message_bytes = 100;
  options.websocket.max_frame_bytes = 50;
  options.websocket.max_unsent_bytes = 10;
  options.websocket.slow_reader = SlowReader::Drop;
  options.timeouts.websocket_age = 100s;
  options.timeouts.websocket_idle = 15s;
  Limit limit = Limit::Count;
  int code = 0;
  CountedClient client(options);
  client.send(opening_handshake());
  SECTION("the client's") {
    code = 1003;
    client.send(close_frame(1003));
  }
  SECTION("the application's") {
    code = 1011;
    client.websocket().responder()->fail();
    client.send(close_frame(1000));
  }
  SECTION("none") {
    code = 1006;
    client.wire->fail();
  }
  SECTION("a message that is too long") {
    code = 1009;
    limit = Limit::WebSocketMessageSize;
    std::string first = text_frame(std::string(40, 'x'));
    first[0] = 1;  // more follows
    std::string next = first;
    next[0] = 0;
    client.send(first + next + next);
  }
  SECTION("a frame that is too long") {
    code = 1009;
    limit = Limit::WebSocketFrameSize;
    client.send(text_frame(std::string(60, 'x')));
  }
  SECTION("idle for too long") {
    code = 1000;
    limit = Limit::TimeoutWebSocketIdle;
    client.host.pass(15s);
    client.send(close_frame(1000));
  }
  SECTION("open for too long") {
    code = 1000;
    limit = Limit::WebSocketTimeout;
    client.host.pass(100s);
    client.send(close_frame(1000));
  }
  SECTION("a slow reader") {
    code = 1013;
    limit = Limit::WebSocketSlowReader;
    client.wire->limit_room(0);
    client.websocket().responder()->send_text("more than ten bytes");
    client.host.finish_batch();
    client.websocket().responder()->send_text("dropped");
    client.wire->drain();
    client.send(close_frame(1013));
    CHECK(client.metrics().messages_sent.value() == 1);
  }
  SECTION("no answer to our close frame") {
    code = 1001;
    limit = Limit::TimeoutWebSocketClose;
    client.host.drain();
    client.websocket().responder()->send_text("too late");
    client.host.pass(5s);
    CHECK(client.metrics().messages_sent.value() == 0);
  }
  client.host.finish_batch();
  CHECK(client.metrics().disconnects_1000.at(static_cast<std::size_t>(code - 1000)).value() == 1);
  CHECK(client.disconnects() == 1);
  CHECK(client.metrics().websockets.value() == 0);
  std::uint64_t limits = 0;
  for (const Counter& counter : client.metrics().limits) limits += counter.value();
  CHECK(limits == (limit == Limit::Count ? 0 : 1));
  if (limit != Limit::Count) CHECK(client.count(limit) == 1);
}

TEST_CASE("WebSocketSession: a ping without an answer is counted", "[session][metrics]") {
  CountedClient client;
  client.send(opening_handshake());
  client.host.pass(20s);
  client.host.pass(30s);
  CHECK(client.count(Limit::PingTimeout) == 1);
  CHECK(client.metrics().disconnects_1000.at(6).value() == 1);
}

TEST_CASE("WebSocketSession: without memory for dedicated streams a limit is counted",
          "[session][metrics]") {
  ServerOptions options;
  options.deflate.mode = WebSocketDeflate::Mode::Dedicated;
  options.deflate.max_memory_bytes = GENERATE(0, 64 * 1024 * 1024);
  CountedClient client(options);
  client.send(opening_handshake("Sec-WebSocket-Extensions: permessage-deflate\r\n"));
  CHECK(client.count(Limit::DeflateMemory) == (options.deflate.max_memory_bytes == 0 ? 1 : 0));
}
