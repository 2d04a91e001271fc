// The limits of a connection: times of the client and of the application, sizes, and numbers.
#include <chrono>
#include <string>

#include "server/session/connection/connection.h"
#include "support/catch.h"
#include "support/fake_host.h"
#include "support/test_application.h"

using namespace cppasgi;
using namespace cppasgi::test;

namespace {

using namespace std::chrono_literals;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kPartOfContent =
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nab";

void answer(HttpCall& call) { call.answer("ok"); }

}  // namespace

// --- content ---

TEST_CASE("Session: a client that stops sending content gets 408, the application a disconnect",
          "[session][limits]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(kPartOfContent);
  HttpCall& call = *application.http.at(0);
  const bool head_given = GENERATE(false, true);
  if (head_given) call.responder()->send_head({200, {}});
  host.pass(59s);
  host.take_announced();
  wire->send("c");  // each piece counts
  CHECK(host.take_announced() == host.now() + 60s);
  host.pass(59'999ms);
  CHECK(wire->received.empty());
  CHECK(call.disconnects == 0);
  host.pass(1ms);
  CHECK(call.disconnects == 1);
  CHECK(call.responder() == nullptr);
  CHECK(wire->take().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
  CHECK(wire->shut_down);
  CHECK(host.access() == "192.0.2.7:40000 \"POST /\" 408 29\n");
  host.pass(2s);
  CHECK(wire->closed);
}

TEST_CASE("Session: a client that stops sending content during the response is cut",
          "[session][limits]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(kPartOfContent);
  HttpCall& call = *application.http.at(0);
  call.responder()->send_head({200, {}});
  call.responder()->send_content("part", More::Yes);
  host.pass(60s);
  CHECK(call.disconnects == 1);
  CHECK(wire->received.find("408") == std::string::npos);
  CHECK(wire->closed);
  CHECK(wire->reset);
}

TEST_CASE("Session: content that waits for the application has time, and then again",
          "[session][limits]") {
  ServerOptions options;
  options.incoming.high_bytes = 10;
  TestApplication application;
  FakeHost host(application, options);
  const auto wire = host.connect();
  wire->send(std::string(kPartOfContent) + std::string(20, 'x'));
  CHECK_FALSE(wire->reading);
  host.pass(10min);
  HttpCall& call = *application.http.at(0);
  CHECK(call.disconnects == 0);
  host.take_announced();
  call.take();
  CHECK(host.take_announced() == host.now() + 60s);
  host.pass(59'999ms);
  CHECK(call.disconnects == 0);
  host.pass(1ms);
  CHECK(call.disconnects == 1);
}

TEST_CASE("Session: a client that waits for 100 Continue has time until it comes",
          "[session][limits]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  host.pass(10min);
  HttpCall& call = *application.http.at(0);
  CHECK(call.disconnects == 0);
  host.take_announced();
  call.take();
  CHECK(host.take_announced() == host.now() + 60s);
  host.pass(60s);
  CHECK(call.disconnects == 1);
}

TEST_CASE("Session: too much content is answered with 413 (RFC 9110 15.5.14)",
          "[session][limits]") {
  ServerOptions options;
  options.http.max_content_bytes = 5;
  TestApplication application;
  FakeHost host(application, options);
  const auto wire = host.connect();
  SECTION("by its announced length, before the application is started") {
    wire->send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n");
    host.finish_batch();
    CHECK(application.http.empty());
    CHECK(wire->take().starts_with("HTTP/1.1 413 "));
  }
  SECTION("at the chunk that is too much") {
    wire->send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    HttpCall& call = *application.http.at(0);
    CHECK(call.disconnects == 0);
    wire->send("3\r\n");
    host.finish_batch();
    CHECK(call.disconnects == 1);
    CHECK(wire->take().starts_with("HTTP/1.1 413 "));
  }
  SECTION("at a chunk whose size overflows") {
    wire->send(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
        "FFFFFFFFFFFFFFFF\r\n");
    host.finish_batch();
    CHECK(wire->take().starts_with("HTTP/1.1 413 "));
  }
  SECTION("by a cut when the response has started") {
    wire->send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    application.http.at(0)->responder()->send_head({200, {}});
    application.http.at(0)->responder()->send_content("part", More::Yes);
    host.finish_batch();
    wire->send("3\r\n");
    host.finish_batch();
    CHECK(application.http.at(0)->disconnects == 1);
    CHECK(wire->reset);
  }
  SECTION("but not the most that is allowed, of each request") {
    application.on_http_content = [](HttpCall& call) {
      if (call.take() == ContentStatus::End) answer(call);
    };
    for (int i = 0; i < 3; ++i) {
      wire->send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde");
      host.finish_batch();
      wire->send(
          "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
          "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
      host.finish_batch();
    }
    CHECK(application.http.size() == 6);
    CHECK(wire->take().find("413") == std::string::npos);
    CHECK_FALSE(wire->closed);
    return;
  }
  CHECK((wire->shut_down || wire->closed));
}

// --- the application's time ---

TEST_CASE("Session: an application that doesn't respond in time is answered for, as by Daphne",
          "[session][limits]") {
  ServerOptions options;
  options.timeouts.response_start = 10s;
  TestApplication application;
  FakeHost host(application, options);
  const auto wire = host.connect();
  SECTION("from the end of the request on") {
    wire->send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na");
    host.pass(30s);
    CHECK(application.http.at(0)->disconnects == 0);
    host.take_announced();
    wire->send("b");
    CHECK(host.take_announced() == host.now() + 10s);
  }
  SECTION("also when it has only given a head, which is held back") {
    wire->send(kGet);
    application.http.at(0)->responder()->send_head({200, {}});
  }
  SECTION("or while a client waits for 100 Continue") {
    wire->send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  }
  HttpCall& call = *application.http.at(0);
  host.pass(9'999ms);
  CHECK(call.disconnects == 0);
  CHECK(wire->received.empty());
  host.pass(1ms);
  CHECK(call.disconnects == 1);
  CHECK(call.responder() == nullptr);
  const std::string response = wire->take();
  CHECK(response.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(response.ends_with("\r\n\r\nApplication failed to respond within time limit."));
  CHECK(host.access().ends_with(" 503 48\n"));
}

TEST_CASE("Session: a response that has started may take its time", "[session][limits]") {
  ServerOptions options;
  options.timeouts.response_start = 10s;
  TestApplication application;
  FakeHost host(application, options);
  const auto wire = host.connect();
  wire->send(kGet);
  HttpCall& call = *application.http.at(0);
  call.responder()->send_head({200, {}});
  call.responder()->send_content("part", More::Yes);
  host.pass(24h);
  CHECK(call.disconnects == 0);
  call.responder()->send_content("", More::No);
  host.finish_batch();
  wire->send(kGet);  // and the next one is measured anew
  host.pass(9'999ms);
  CHECK(application.http.at(1)->disconnects == 0);
  host.pass(1ms);
  CHECK(application.http.at(1)->disconnects == 1);
}

// --- clients that don't read ---

TEST_CASE("Session: a client that reads nothing of a response is cut", "[session][limits]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->limit_room(100);
  wire->send(kGet);
  HttpCall& call = *application.http.at(0);
  call.responder()->send_head({200, {}});
  call.responder()->send_content(std::string(1000, 'x'), More::Yes);
  host.take_announced();
  host.finish_batch();
  CHECK(host.take_announced() == host.now() + 60s);
  SECTION("after the time") { host.pass(59'999ms); }
  SECTION("but each byte counts, if not more of the response") {
    host.pass(30s);
    wire->drain_some(1);
    host.pass(30s);
    CHECK_FALSE(wire->closed);
    call.responder()->send_content(std::string(1000, 'x'), More::Yes);
    host.pass(59'999ms);
  }
  SECTION("and all of what was queued") {
    host.pass(59s);
    wire->drain();
    host.pass(24h);  // nothing waits for it
    wire->limit_room(0);
    call.responder()->send_content("x", More::Yes);
    host.finish_batch();
    host.pass(59'999ms);
  }
  CHECK_FALSE(wire->closed);
  CHECK(call.disconnects == 0);
  host.pass(1ms);
  CHECK(wire->closed);
  CHECK(wire->reset);
  CHECK(call.disconnects == 1);
}

TEST_CASE("Session: a WebSocket client that reads nothing is cut", "[session][limits]") {
  ServerOptions options;
  options.timeouts.ping_interval = 0s;
  TestApplication application;
  application.on_websocket = [](WebSocketCall& call) { call.responder()->accept({}, {}); };
  FakeHost host(application, options);
  const auto wire = host.connect();
  wire->send(
      "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  host.finish_batch();
  wire->limit_room(10);
  application.websockets.at(0)->responder()->send_text(std::string(100, 'x'));
  host.finish_batch();
  host.pass(59'999ms);
  CHECK_FALSE(wire->closed);
  host.pass(1ms);
  CHECK(wire->closed);
  CHECK(application.websockets.at(0)->close_code == 1006);
}

TEST_CASE("Session: times of zero, and those without end, never come", "[session][limits]") {
  using std::chrono::milliseconds;
  const auto never = GENERATE(0ms, milliseconds::max(), milliseconds::max() - 1ms);
  ServerOptions options;
  options.timeouts.request_content = options.timeouts.send = never;
  TestApplication application;
  FakeHost host(application, options);
  const auto wire = host.connect();
  wire->limit_room(10);
  wire->send(kPartOfContent);
  application.http.at(0)->responder()->send_head({200, {}});
  application.http.at(0)->responder()->send_content(std::string(100, 'x'), More::Yes);
  host.pass(100h);
  CHECK_FALSE(wire->closed);
  CHECK(application.http.at(0)->disconnects == 0);
}

// --- numbers ---

TEST_CASE("Session: the last request that a connection may have closes it", "[session][limits]") {
  ServerOptions options;
  options.connections.max_requests = 3;
  TestApplication application;
  application.on_http = answer;
  FakeHost host(application, options);
  const auto wire = host.connect();
  wire->send(std::string(kGet) + std::string(kGet));
  host.finish_batch();
  CHECK(wire->take().find("connection: close") == std::string::npos);
  wire->send(kGet);
  host.finish_batch();
  CHECK(wire->take().find("connection: close\r\n") != std::string::npos);
  CHECK(wire->closed);
}

TEST_CASE("Session: a connection that is refused hears why, and starts no application",
          "[session][limits]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  host.driver().refuse();
  host.finish_batch();
  CHECK(wire->take().starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(wire->shut_down);
  CHECK_FALSE(wire->closed);  // a reset might overtake the response
  wire->send(kGet);
  CHECK(application.http.empty());
  CHECK(application.log.empty());
  host.pass(2s);
  CHECK(wire->closed);
  CHECK(host.access() == "192.0.2.7:40000 \"- -\" 503 20\n");
}

TEST_CASE("Session: a refused connection's line counts from the connection's begin", "[session]") {
  ServerOptions options;
  options.access_log_format = "%(s)s %(M)s";
  TestApplication application;
  FakeHost host(application, options);
  const auto wire = host.connect();
  host.driver().refuse();
  host.finish_batch();
  CHECK(host.access() == "503 0\n");
}

TEST_CASE("Session: a connection that ends is idle since then only", "[session]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  host.pass(std::chrono::minutes(1));
  wire->limit_room(0);
  application.http.at(0)->answer("hello");
  host.finish_batch();
  CHECK(host.driver().activity().idle_since == host.now());
}

TEST_CASE("Session: a refused handshake's client may still be sending", "[session]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(
      "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  host.finish_batch();
  application.websockets.at(0)->responder()->close(1000, {});
  host.finish_batch();
  CHECK(wire->take().starts_with("HTTP/1.1 403 "));
  CHECK(wire->shut_down);
  CHECK_FALSE(wire->closed);
  wire->end();
  host.finish_batch();
  CHECK(wire->closed);
}
