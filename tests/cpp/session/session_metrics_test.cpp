// What a session counts (server/metrics.h), and under which name.
#include <chrono>
#include <map>
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

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

// One connection to an application that answers "ok" and accepts WebSockets.
struct Client {
  explicit Client(const ServerOptions& options = {}) : host(application, options) {
    application.on_http = [](HttpCall& call) { call.answer("ok"); };
    application.on_websocket = [](WebSocketCall& call) { call.responder()->accept({}, {}); };
    wire = host.connect();
  }
  void send(std::string_view bytes) {
    wire->send(bytes);
    host.finish_batch();
  }
  WebSocketCall& websocket() { return *application.websockets.at(0); }
  Metrics& metrics() { return *host.metrics; }
  std::uint64_t count(Limit limit) {
    return metrics().limits.at(static_cast<std::size_t>(limit)).value();
  }
  std::uint64_t count(Handshake result) {
    return metrics().handshakes.at(static_cast<std::size_t>(result)).value();
  }
  std::uint64_t responses(int status) {
    return metrics().responses.at(static_cast<std::size_t>(status - 100)).value();
  }
  // Of all close codes.
  std::uint64_t disconnects() {
    std::uint64_t sum = 0;
    for (const Counter& counter : metrics().disconnects_1000) sum += counter.value();
    return sum;
  }

  TestApplication application;
  FakeHost host;
  std::shared_ptr<Wire> wire;
};

std::uint64_t total(const Histogram& histogram) {
  std::uint64_t sum = 0;
  for (const Counter& bucket : histogram.buckets) sum += bucket.value();
  return sum;
}

}  // namespace

// --- HTTP ---

TEST_CASE("Session: connections, bytes and responses are counted", "[session][metrics]") {
  Client client;
  CHECK(client.metrics().connections.value() == 1);
  client.send(kGet);
  client.application.on_http = nullptr;
  client.send(std::string(kGet) + std::string(kGet));  // the second waits for the first
  client.application.http.back()->answer("ok");
  client.host.finish_batch();
  client.application.http.back()->answer("ok");
  client.host.finish_batch();
  CHECK(client.responses(200) == 3);
  CHECK(client.metrics().received_bytes.value() == 3 * kGet.size());
  CHECK(client.metrics().sent_bytes.value() == client.wire->received.size());
  CHECK(total(client.metrics().request_duration) == 0);  // nobody asked for a clock
  client.wire->end();
  client.host.finish_batch();
  CHECK(client.metrics().connections.value() == 0);
  CHECK(client.metrics().responses_cut.value() == 0);
}

TEST_CASE("Session: bytes that wait for the kernel count once", "[session][metrics]") {
  Client client;
  client.application.on_http = nullptr;
  client.wire->limit_room(100);
  client.send(kGet);
  HttpResponder* responder = client.application.http.at(0)->responder();
  responder->send_head({200, {}});
  for (const More more : {More::Yes, More::Yes, More::No}) {
    responder->send_content(std::string(20'000, 'x'), more);
    client.host.finish_batch();
  }
  client.wire->drain();
  client.host.finish_batch();
  CHECK(client.metrics().sent_bytes.value() == client.wire->received.size());
  CHECK(client.wire->received.size() > 50'000);
}

TEST_CASE("Session: requests are timed for a log that wants it", "[session][metrics]") {
  ServerOptions options;
  options.access_log_format = "json";
  Client client(options);
  client.send(kGet);
  CHECK(total(client.metrics().request_duration) == 1);
}

TEST_CASE("Session: a request whose client leaves is counted as 499 or cut, with its time",
          "[session][metrics]") {
  ServerOptions options;
  options.access_log_format = "json";
  Client client(options);
  client.application.on_http = nullptr;
  client.send(kGet);
  CHECK(client.metrics().requests_in_flight.value() == 1);
  const bool begun = GENERATE(false, true);
  HttpResponder* responder = client.application.http.at(0)->responder();
  responder->send_head({200, {}});
  if (begun) responder->send_content("part", More::Yes);
  client.wire->fail();
  client.host.finish_batch();
  CHECK(client.responses(499) == (begun ? 0 : 1));
  CHECK(client.metrics().responses_cut.value() == (begun ? 1 : 0));
  CHECK(client.responses(200) == 0);
  CHECK(total(client.metrics().request_duration) == 1);
  CHECK(client.metrics().requests_in_flight.value() == 0);
}

TEST_CASE("Session: what the server refuses has its time from the first byte on",
          "[session][metrics]") {
  ServerOptions options;
  options.access_log_format = "json";
  options.timeouts.request_head = 7s;
  Client client(options);
  client.send("GET / HT");
  client.host.pass(8s);
  CHECK(client.responses(408) == 1);
  CHECK(client.metrics().request_duration.sum.value() == 8'000'000'000);
}

TEST_CASE("Session: each limit of a request has a name", "[session][metrics]") {
  ServerOptions options;
  options.http.max_target_bytes = 10;
  options.http.max_header_bytes = 30;
  options.http.max_header_count = 2;
  options.http.max_content_bytes = 5;
  const auto [request, status, limit] = GENERATE(table<std::string, int, Limit>({
      {"GET /12345678901 HTTP/1.1\r\nHost: x\r\n\r\n", 414, Limit::RequestLine},
      {"GET / HTTP/1.1\r\nHost: x\r\na: 1234567890123456789012345\r\n\r\n", 431,
       Limit::RequestHeader},
      {"GET / HTTP/1.1\r\nHost: x\r\na: 1\r\nb: 2\r\n\r\n", 431, Limit::RequestFields},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n", 413, Limit::RequestBody},
  }));
  Client client(options);
  client.send(request);
  CHECK(client.responses(status) == 1);
  CHECK(client.count(limit) == 1);
}

TEST_CASE("Session: each time-out of a request has a name", "[session][metrics]") {
  ServerOptions options;
  options.timeouts.request_head = 1s;
  options.timeouts.request_content = 2s;
  options.timeouts.response_start = 3s;
  options.timeouts.keep_alive = 4s;
  const auto [request, answers, limit] = GENERATE(table<std::string, bool, Limit>({
      {"", false, Limit::TimeoutRequestHeader},
      {"GET / HT", false, Limit::TimeoutRequestHeader},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\na", false,
       Limit::TimeoutRequestBody},
      {std::string(kGet), false, Limit::HttpTimeout},
      {std::string(kGet), true, Limit::TimeoutKeepAlive},
  }));
  Client client(options);
  if (!answers) client.application.on_http = nullptr;
  if (!request.empty()) client.send(request);
  client.host.pass(10s);
  std::uint64_t all = 0;
  for (const Counter& counter : client.metrics().limits) all += counter.value();
  CHECK(client.count(limit) == 1);
  CHECK(all == 1);
}

TEST_CASE("Session: a client that doesn't read and a worn out connection are counted",
          "[session][metrics]") {
  ServerOptions options;
  options.connections.max_requests = 1;
  options.timeouts.send = 5s;
  Client client(options);
  client.wire->limit_room(3);
  client.send(kGet);
  CHECK(client.count(Limit::KeepAliveRequests) == 1);
  client.host.pass(5s);
  CHECK(client.count(Limit::TimeoutSend) == 1);
}

// --- WebSocket: the opening handshake ---

TEST_CASE("WebSocketSession: every opening handshake is counted once", "[session][metrics]") {
  Client client;
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
  Client client;
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
  Client client;
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
  Client client(options);
  client.send(opening_handshake());
  client.send(text_frame("one"));
  CHECK(client.count(Limit::WebSocketQueue) == 0);
  client.send(text_frame("two"));
  CHECK(client.count(Limit::WebSocketQueue) == 1);
}

TEST_CASE("WebSocketSession: a pong is timed, one without a ping isn't", "[session][metrics]") {
  Client client;
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
  Client client(options);
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
  Client client;
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
  Client client(options);
  client.send(opening_handshake("Sec-WebSocket-Extensions: permessage-deflate\r\n"));
  CHECK(client.count(Limit::DeflateMemory) == (options.deflate.max_memory_bytes == 0 ? 1 : 0));
}
