// What the server ends by itself: draining, which lets everybody finish, and cutting, which
// doesn't.
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "server/session/connection/connection.h"
#include "support/catch.h"
#include "support/fake_host.h"
#include "support/test_application.h"

using namespace cppasgi;
using namespace cppasgi::test;

namespace {

using namespace std::chrono_literals;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kPartOfHead = "GET / HTTP/1.1\r\nHo";
constexpr std::string_view kPartOfContent =
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab";

void answer(HttpCall& call) { call.answer("ok"); }

// A connection that has had the answer to its first request, and is idle.
auto connect_and_ask(FakeHost& host, TestApplication& application) {
  auto wire = host.connect();
  wire->send(kGet);
  answer(*application.http.at(0));
  host.finish_batch();
  wire->take();
  return wire;
}

}  // namespace

TEST_CASE("Session: drain ends idle connections at once and others after their response",
          "[session][drain]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  SECTION("before the first request: a moment to send it") {
    SECTION("used") {
      host.drain();
      host.pass(999ms);
      wire->send(kGet);
      answer(*application.http.at(0));
      host.finish_batch();
      CHECK(wire->take() == "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    }
    SECTION("unused") {
      host.drain();
      CHECK_FALSE(wire->closed);
      host.pass(1'000ms);
    }
  }
  SECTION("in a head") {
    wire->send("GET / HTTP/1.1\r\n");
    host.drain();
    wire->send("Host: x\r\n\r\n");
    answer(*application.http.at(0));
    host.finish_batch();
    CHECK(wire->take() == "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
  }
  SECTION("in a head that doesn't come to its end: a moment for it") {
    wire->send("GET / HTTP/1.1\r\n");
    host.pass(20s);
    host.drain();
    host.pass(999ms);
    CHECK(wire->received.empty());
    host.pass(1ms);
    CHECK(wire->take().starts_with("HTTP/1.1 408 "));
    wire->end();
    host.finish_batch();
  }
  SECTION("in an exchange") {
    wire->send(kGet);
    host.drain();
    CHECK_FALSE(wire->closed);
    answer(*application.http.at(0));
    host.finish_batch();
    CHECK(wire->take() == "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
  }
  SECTION("in a response that has started") {
    wire->send(kGet);
    application.http.at(0)->responder()->send_head({200, {}});
    application.http.at(0)->responder()->send_content("part", More::Yes);
    host.drain();
    application.http.at(0)->responder()->send_content("rest", More::No);
    host.finish_batch();
    CHECK(wire->take().ends_with("\r\n4\r\nrest\r\n0\r\n\r\n"));
  }
  SECTION("between requests") {
    wire->send(kGet);
    answer(*application.http.at(0));
    host.finish_batch();
    host.drain();
  }
  SECTION("when a response isn't written yet") {
    wire->send(kGet);
    answer(*application.http.at(0));
    host.drain();
    CHECK(wire->take() == "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  }
  SECTION("when the client hasn't read the response") {
    wire->limit_room(10);
    wire->send(kGet);
    answer(*application.http.at(0));
    host.finish_batch();
    host.drain();
    CHECK_FALSE(wire->closed);
    wire->drain();
    host.finish_batch();
    CHECK(wire->take() == "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  }
  SECTION("in a lingering close: nothing changes") {
    wire->send("nonsense\r\n\r\n");
    host.finish_batch();
    host.drain();
    CHECK_FALSE(wire->closed);
    wire->end();
    host.finish_batch();
  }
  CHECK(wire->closed);
  CHECK_FALSE(wire->reset);
  CHECK(host.connections() == 0);
  for (const auto& call : application.http) CHECK(call->disconnects == 0);
}

TEST_CASE("Session: before a restart an idle connection gets a moment for one more request",
          "[session][drain]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = connect_and_ask(host, application);
  host.drain(ShutdownReason::Restart);
  host.pass(4'999ms);
  CHECK_FALSE(wire->closed);
  SECTION("used") {
    wire->send(kGet);
    answer(*application.http.at(1));
    host.finish_batch();
    CHECK(wire->take() == "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
  }
  SECTION("unused") { host.pass(1ms); }
  CHECK(wire->closed);
}

TEST_CASE("Session: drain ends server-sent events, whose client comes again (HTML 9.2.3)",
          "[session][drain]") {
  struct Case {
    std::string_view method;
    std::vector<http::Field> fields;
    bool ends;
  };
  const Case c =
      GENERATE(Case{"GET", {{"Content-Type", "text/event-stream"}}, true},
               Case{"GET", {{"content-type", "Text/Event-Stream; charset=utf-8"}}, true},
               Case{"POST", {{"content-type", "text/event-stream"}}, false},  // comes once
               Case{"GET", {{"content-type", "text/event-stream"}, {"content-length", "9"}}, false},
               Case{"GET", {{"content-type", "text/plain"}}, false},
               Case{"GET", {{"x-content-ty", "text/event-stream"}}, false}, Case{"GET", {}, false});
  const bool before = GENERATE(true, false);  // or it begins while the server drains
  CAPTURE(c.method, c.fields.size(), c.ends, before);
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(std::string(c.method) + " / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  HttpCall& call = *application.http.at(0);
  if (!before) host.drain();
  call.responder()->send_head({200, c.fields});
  call.responder()->send_content("event", More::Yes);
  CHECK(host.driver().activity().client_returns == (c.ends && before));
  if (before) host.drain();
  host.finish_batch();
  CHECK(call.disconnects == (c.ends ? 1 : 0));
  CHECK((call.responder() == nullptr) == c.ends);
  CHECK(wire->closed == c.ends);
  if (c.ends) {
    CHECK(wire->take().ends_with("\r\n5\r\nevent\r\n0\r\n\r\n"));
    CHECK_FALSE(wire->reset);
    return;
  }
  call.responder()->send_content("rest", More::No);
  host.finish_batch();
  CHECK(wire->take().find("rest") != std::string::npos);
  CHECK(wire->closed);
  CHECK(call.disconnects == 0);
}

TEST_CASE("Session: an event stream whose head waits ends in order too", "[session][drain]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(kGet);
  application.http.at(0)->responder()->send_head({200, {{"content-type", "text/event-stream"}}});
  host.drain();
  host.finish_batch();
  CHECK(wire->take() ==
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 0\r\n"
        "connection: close\r\n\r\n");
  CHECK(wire->closed);
  CHECK(application.http[0]->disconnects == 1);
}

TEST_CASE("Session: cut_short ends what is in progress", "[session][cut]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  SECTION("an exchange without a response: 503") {
    wire->send(kGet);
    host.driver().cut_short();
    host.finish_batch();
    CHECK(wire->take().starts_with("HTTP/1.1 503 "));
    CHECK_FALSE(wire->reset);
  }
  SECTION("a response that has begun: a cut") {
    wire->send(kGet);
    application.http.at(0)->responder()->send_head({200, {}});
    application.http.at(0)->responder()->send_content("part", More::Yes);
    host.driver().cut_short();
    host.finish_batch();
    CHECK(wire->reset);
  }
  CHECK(application.http.at(0)->disconnects == 1);
  CHECK(application.http.at(0)->responder() == nullptr);
  CHECK(wire->closed);
}

TEST_CASE("Session: cut_short doesn't wait for a request that may never come", "[session][cut]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = connect_and_ask(host, application);
  const bool begun = GENERATE(false, true);
  if (begun) wire->send(kPartOfHead);
  host.drain(ShutdownReason::Restart);
  host.finish_batch();
  CHECK_FALSE(wire->closed);
  host.driver().cut_short();
  host.finish_batch();
  CHECK(wire->take().empty());
  CHECK(wire->closed);
}

TEST_CASE("Session: cut drops the connection, and the exchange hears of it once",
          "[session][cut]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  const std::string_view input = GENERATE(std::string_view(), kPartOfHead, kGet, kPartOfContent,
                                          std::string_view("nonsense\r\n\r\n"));
  wire->send(input);
  host.finish_batch();
  host.connection().cut(session::Blame::Client);
  host.connection().cut(session::Blame::Client);
  host.finish_batch();
  CHECK(wire->closed);
  CHECK(host.connections() == 0);
  const bool in_exchange = !application.http.empty();
  CHECK(in_exchange == (input == kGet || input == kPartOfContent));
  CHECK(wire->reset == in_exchange);
  if (in_exchange) CHECK(application.http[0]->disconnects == 1);
}
