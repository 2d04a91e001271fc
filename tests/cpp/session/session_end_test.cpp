// How connections end: the client leaves, time runs out, the server drains or cuts, and the
// lingering close in between (RFC 9112 section 9.6).
#include <chrono>
#include <memory>
#include <string>

#include "server/session/connection/connection.h"
#include "support/catch.h"
#include "support/fake_host.h"
#include "support/test_application.h"

using namespace cppasgi;
using namespace cppasgi::test;
using std::chrono::milliseconds;

namespace {

using namespace std::chrono_literals;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kPartOfHead = "GET / HTTP/1.1\r\nHo";
constexpr std::string_view kPartOfContent =
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab";

void answer(HttpCall& call) { call.answer("ok"); }

void leave(Wire& wire, bool orderly) {
  if (orderly) {
    wire.end();
  } else {
    wire.fail();
  }
}

}  // namespace

TEST_CASE("Session: a client that leaves between requests is forgotten", "[session][end]") {
  TestApplication application;
  application.on_http = answer;
  FakeHost host(application);
  const auto wire = host.connect();
  const bool orderly = GENERATE(true, false);
  const std::string_view before = GENERATE(std::string_view(), kGet, kPartOfHead);
  wire->send(before);
  host.finish_batch();
  leave(*wire, orderly);
  host.finish_batch();
  CHECK(wire->closed);
  CHECK(host.connections() == 0);
  CHECK(application.log.empty());
}

TEST_CASE("Session: a client that leaves during an exchange disconnects it, once",
          "[session][end]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  const bool orderly = GENERATE(true, false);
  const int progress = GENERATE(0, 1, 2);  // of the response
  wire->send(GENERATE(kGet, kPartOfContent));
  HttpCall& call = *application.http.at(0);
  if (progress > 0) call.responder()->send_head({200, {}});
  if (progress > 1) call.responder()->send_content("part", More::Yes);
  const SlotTable<HttpResponder>& exchanges = host.exchanges;
  CHECK(exchanges.size() == 1);
  leave(*wire, orderly);
  host.pass(orderly ? 2s : 0s);  // it may still read, as session_half_close_test.cpp has it
  CHECK(call.disconnects == 1);
  CHECK(call.responder() == nullptr);  // a late call finds nothing
  CHECK(exchanges.size() == 0);
  host.finish_batch();
  CHECK(wire->closed);
  CHECK(host.connections() == 0);
  CHECK(call.disconnects == 1);
}

TEST_CASE("Session: a client that leaves with all of the announced content has had its response",
          "[session][end]") {
  // Starlette sends a file's last bytes and only then, in a message without content, that they were
  // the last.
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(kGet);
  HttpCall& call = *application.http.at(0);
  call.responder()->send_head({200, {{"content-length", "4"}}});
  const bool all = GENERATE(true, false);
  call.responder()->send_content(all ? "part" : "par", More::Yes);
  const bool taken = GENERATE(true, false);  // by the kernel
  if (!taken) wire->limit_room(10);
  host.finish_batch();
  SECTION("it resets the connection") { wire->fail(); }
  SECTION("the server gives up on the application") { host.driver().cut_short(); }
  host.finish_batch();
  const bool complete = all && taken;
  const std::string size = complete ? "4" : taken ? "3 cut" : "- cut";
  CHECK(host.access() == "192.0.2.7:40000 \"GET /\" 200 " + size + '\n');
  CHECK(host.metrics->responses_cut.value() == (complete ? 0 : 1));
  CHECK(wire->reset == !complete);
  CHECK(wire->closed);
  CHECK(call.disconnects == 1);
  CHECK(call.responder() == nullptr);
}

TEST_CASE("Session: a handle finds nothing when the next exchange runs in its place",
          "[session][end]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(kGet);
  answer(*application.http.at(0));
  wire->send(kGet);
  CHECK(application.http.at(0)->responder() == nullptr);
  CHECK(application.http.at(1)->responder() != nullptr);
  wire->fail();
  CHECK(application.http.at(0)->disconnects == 0);
  CHECK(application.http.at(1)->disconnects == 1);
}

TEST_CASE("Session: a response reaches a client that sent its last byte before it was written",
          "[session][end]") {
  TestApplication application;
  application.on_http = answer;
  FakeHost host(application);
  const auto wire = host.connect();
  SECTION("in the same batch") {
    wire->send(kGet);
    wire->end();
    host.finish_batch();
  }
  SECTION("and which reads slowly") {
    wire->limit_room(10);
    wire->send(kGet);
    host.finish_batch();
    wire->end();
    host.finish_batch();
    CHECK_FALSE(wire->closed);
    wire->drain();
    host.finish_batch();
  }
  CHECK(wire->take() == "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  CHECK(wire->closed);
  CHECK_FALSE(wire->reset);
}

TEST_CASE("Session: a client that leaves while the last response goes out is forgotten",
          "[session][end]") {
  TestApplication application;
  application.on_http = answer;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->limit_room(10);
  wire->send("GET / HTTP/1.0\r\n\r\n");
  host.finish_batch();
  wire->fail();
  host.finish_batch();
  CHECK(wire->closed);
  CHECK(application.http.at(0)->disconnects == 0);  // its response was complete
}

TEST_CASE("Session: a head that takes too long is answered with 408 (RFC 9110 15.5.9)",
          "[session][time]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  host.pass(20s);
  wire->send(kPartOfHead);  // the time counts from the first byte
  host.pass(20s);
  wire->send("st: x\r\n");
  host.pass(9'999ms);
  CHECK(wire->received.empty());
  host.pass(1ms);
  CHECK(wire->take().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
  CHECK(wire->shut_down);
  CHECK(application.log.size() == 1);
  CHECK(host.access() == "192.0.2.7:40000 \"GET /\" 408 26\n");
}

TEST_CASE("Session: an opening handshake with content stays under the head's deadline",
          "[session][time]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(
      "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
      "Content-Length: 10\r\n\r\n");
  host.pass(30s);
  CHECK(wire->take().starts_with("HTTP/1.1 408 "));
}

TEST_CASE("Session: connections that send nothing are closed", "[session][time]") {
  TestApplication application;
  application.on_http = answer;
  FakeHost host(application);
  const auto wire = host.connect();
  SECTION("at first after the time for a head") {
    CHECK(host.take_announced() == host.now() + 30s);
    host.pass(29'999ms);
    CHECK_FALSE(wire->closed);
    host.pass(1ms);
  }
  SECTION("later after the time for keep-alive") {
    wire->send(kGet);
    host.finish_batch();
    host.pass(74'999ms);
    CHECK_FALSE(wire->closed);
    wire->send(kGet);
    host.finish_batch();
    wire->take();
    host.pass(74'999ms);
    CHECK_FALSE(wire->closed);
    host.pass(1ms);
  }
  CHECK(wire->closed);
  CHECK(wire->received.empty());
  CHECK(application.log.empty());
}

TEST_CASE("Session: time-outs of zero never come", "[session][time]") {
  ServerOptions options;
  options.timeouts.request_head = options.timeouts.keep_alive = 0ms;
  TestApplication application;
  application.on_http = answer;
  FakeHost host(application, options);
  const auto wire = host.connect();
  host.pass(100h);
  wire->send(kGet);
  host.pass(100h);
  wire->send(kPartOfHead);
  host.pass(100h);
  CHECK_FALSE(wire->closed);
  CHECK(application.http.size() == 1);
}

TEST_CASE("Session: an application may take as long as it likes", "[session][time]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(kGet);
  host.pass(24h);
  CHECK_FALSE(wire->closed);
  CHECK(application.http.at(0)->responder() != nullptr);
}

TEST_CASE("Session: a response may take longer than keep-alive as long as the client reads on",
          "[session][time]") {
  TestApplication application;
  application.on_http = [](HttpCall& call) { call.answer(std::string(1000, 'x')); };
  FakeHost host(application);
  const auto wire = host.connect();
  wire->limit_room(10);
  const bool last = GENERATE(false, true);
  wire->send(last ? "GET / HTTP/1.0\r\n\r\n" : kGet);
  host.finish_batch();
  for (int minute = 0; minute < 8; ++minute) {
    wire->drain_some(100);
    host.pass(75s);
    CHECK_FALSE(wire->closed);
  }
  SECTION("it comes to its end") {
    wire->drain();
    host.finish_batch();
    CHECK(wire->received.ends_with(std::string(1000, 'x')));
    CHECK_FALSE(wire->reset);
    CHECK(wire->closed == last);
  }
  SECTION("it is cut when the client stops") {
    host.pass(75s);
    CHECK(wire->closed);
    CHECK(wire->reset);  // or it would take the response for complete
  }
}

TEST_CASE("Session: after the last response the client has time to read it (RFC 9112 9.6)",
          "[session][linger]") {
  TestApplication application;
  application.on_http = answer;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(kPartOfContent);
  host.finish_batch();
  CHECK(wire->take().ends_with("ok"));
  CHECK(wire->shut_down);
  CHECK_FALSE(wire->closed);
  wire->send("cde and more, which is discarded");
  CHECK(wire->waiting_bytes() == 0);
  host.pass(1'999ms);
  CHECK_FALSE(wire->closed);
  SECTION("until it closes") {
    wire->end();
    host.finish_batch();
  }
  SECTION("or is gone") {
    wire->fail();
    host.finish_batch();
  }
  SECTION("or for two seconds") { host.pass(1ms); }
  CHECK(wire->closed);
  CHECK_FALSE(wire->reset);
  CHECK(application.http.size() == 1);
  CHECK(application.http.at(0)->disconnects == 0);
}

TEST_CASE("Session: requests pipelined behind the last response aren't answered, but read",
          "[session][linger]") {
  TestApplication application;
  application.on_http = answer;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + std::string(kGet));
  host.finish_batch();
  CHECK(application.http.size() == 1);
  CHECK(wire->shut_down);
  CHECK_FALSE(wire->closed);  // closing with input unread would reset the connection
  wire->send(kGet);
  CHECK(wire->waiting_bytes() == 0);
  wire->end();
  host.finish_batch();
  CHECK(wire->closed);
}

TEST_CASE("Session: a last response reads on where too much input waited", "[session][linger]") {
  ServerOptions options;
  options.incoming.high_bytes = 100;
  TestApplication application;
  FakeHost host(application, options);
  const auto wire = host.connect();
  wire->send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + std::string(200, 'x'));
  CHECK_FALSE(wire->reading);
  wire->limit_room(0);
  answer(*application.http.at(0));
  host.finish_batch();
  CHECK(wire->reading);
  wire->send(std::string(200, 'x'));
  CHECK(wire->reading);  // it is discarded
}

TEST_CASE("Session: nobody lingers for a client that has sent its last byte", "[session][linger]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->limit_room(0);
  wire->send("nonsense\r\n\r\n");
  host.finish_batch();
  wire->end();
  CHECK_FALSE(wire->closed);
  wire->drain();
  host.finish_batch();
  CHECK(wire->closed);
  CHECK(wire->received.starts_with("HTTP/1.1 400 "));
}
