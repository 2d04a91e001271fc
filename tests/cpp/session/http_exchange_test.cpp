// One exchange: the request's content on its way in, the response on its way out, back-pressure
// both ways, and responses that fail (RFC 9110 sections 6.4, 8.6 and 10.1.1).
#include "server/session/exchange/http_exchange.h"

#include <string>

#include "support/catch.h"
#include "support/fake_host.h"
#include "support/test_application.h"

using namespace cppasgi;
using namespace cppasgi::test;

namespace {

ServerOptions small_marks() {
  ServerOptions options;
  options.incoming = {.high_bytes = 100, .low_bytes = 10};
  options.outgoing = {.high_bytes = 100, .low_bytes = 10};
  return options;
}

std::string post(std::size_t length, std::string_view more_fields = {}) {
  return "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(length) + "\r\n" +
         std::string(more_fields) + "\r\n";
}

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
const std::string kServerError =
    "HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain; charset=utf-8\r\n"
    "content-length: 21\r\nconnection: close\r\n\r\nInternal Server Error";

}  // namespace

TEST_CASE("HttpExchange: content is taken as it comes, the end with or after the last of it",
          "[session][content]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(post(10));
  HttpCall& call = *application.http.at(0);
  CHECK(call.content_calls == 0);
  CHECK(call.take() == ContentStatus::Pending);
  wire->send("abc");
  wire->send("def");
  CHECK(call.content_calls == 2);
  CHECK(call.take() == ContentStatus::More);
  CHECK(call.content == "abcdef");
  CHECK(call.take() == ContentStatus::Pending);
  wire->send("ghij");
  CHECK(call.take() == ContentStatus::End);
  CHECK(call.content == "abcdefghij");
  CHECK(call.take() == ContentStatus::End);
  CHECK(call.content == "abcdefghij");
}

TEST_CASE("HttpExchange: a request without content has an end nonetheless", "[session][content]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(kGet);
  HttpCall& call = *application.http.at(0);
  CHECK(call.content_calls == 1);
  CHECK(call.take() == ContentStatus::End);
  CHECK(call.content.empty());
}

TEST_CASE("HttpExchange: 100 Continue goes out with the first take_content only (RFC 9110 10.1.1)",
          "[session][content]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(post(3, "Expect: 100-continue\r\n"));
  HttpCall& call = *application.http.at(0);
  host.finish_batch();
  SECTION("asked for") {
    CHECK(wire->take().empty());
    CHECK(call.take() == ContentStatus::Pending);
    CHECK(call.take() == ContentStatus::Pending);
    host.finish_batch();
    CHECK(wire->take() == kContinue);
    wire->send("abc");
    CHECK(call.take() == ContentStatus::End);
    call.answer("ok");
    host.finish_batch();
    CHECK(wire->take() == "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    wire->send(post(1, "Expect: 100-continue\r\n"));  // and again for the next request
    application.http.at(1)->take();
    host.finish_batch();
    CHECK(wire->take() == kContinue);
  }
  SECTION("not when the content came by itself") {
    wire->send("a");
    CHECK(call.take() == ContentStatus::More);
    host.finish_batch();
    CHECK(wire->take().empty());
  }
  SECTION("not when the response comes first; then the connection closes") {
    call.answer("no");
    host.finish_batch();
    CHECK(wire->take() == "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
    CHECK(wire->shut_down);
  }
}

TEST_CASE("HttpExchange: reading stops above the high-water mark and goes on after take_content",
          "[session][backpressure]") {
  TestApplication application;
  FakeHost host(application, small_marks());
  const auto wire = host.connect();
  wire->send(post(1000));
  HttpCall& call = *application.http.at(0);
  wire->send(std::string(100, 'a'));
  CHECK(wire->reading);
  wire->send("b");
  CHECK_FALSE(wire->reading);
  wire->send(std::string(899, 'c'));
  CHECK(wire->waiting_bytes() == 899);
  CHECK(call.take() == ContentStatus::More);
  CHECK(call.content.size() == 101);
  CHECK(wire->reading);
  wire->pump();
  CHECK_FALSE(wire->reading);
  CHECK(call.take() == ContentStatus::End);
  CHECK(call.content.size() == 1000);
  CHECK(wire->reading);
}

TEST_CASE("HttpExchange: a piece that the handler takes counts until take_content",
          "[session][backpressure]") {
  TestApplication application;
  FakeHost host(application, small_marks());
  const auto wire = host.connect();
  wire->send(post(1000));
  HttpCall& call = *application.http.at(0);
  call.takes_pieces = true;
  wire->send(std::string(60, 'a'));
  CHECK(call.content == std::string(60, 'a'));
  CHECK(call.content_calls == 1);
  wire->send(std::string(40, 'b'));  // the second one waits, or the handler would have to queue it
  CHECK(call.content.size() == 60);
  CHECK(wire->reading);
  wire->send("c");
  CHECK_FALSE(wire->reading);
  CHECK(call.take() == ContentStatus::More);
  CHECK(call.content == std::string(60, 'a') + std::string(40, 'b') + "c");
  CHECK(wire->reading);
  wire->send(std::string(899, 'd'));
  CHECK(call.content.size() == 1000);
  CHECK(call.take() == ContentStatus::End);
  CHECK(call.content.size() == 1000);
}

TEST_CASE("HttpExchange: content that the application leaves doesn't stop the connection",
          "[session][backpressure]") {
  TestApplication application;
  FakeHost host(application, small_marks());
  const auto wire = host.connect();
  SECTION("all of it was there: the next request is read") {
    wire->send(post(200) + std::string(200, 'a'));
    CHECK_FALSE(wire->reading);
    application.http.at(0)->answer("no thanks");
    host.finish_batch();
    wire->send(kGet);
    CHECK(application.http.size() == 2);
    CHECK(wire->waiting_bytes() == 0);
  }
  SECTION("some was to come: it is read and discarded until the client closes (RFC 9112 9.6)") {
    wire->send(post(2000) + std::string(200, 'a'));
    CHECK_FALSE(wire->reading);
    wire->limit_room(0);
    application.http.at(0)->answer("no thanks");
    host.finish_batch();
    CHECK(wire->reading);  // the response can't go out while the client is sending
    wire->send(std::string(1000, 'b'));
    CHECK(wire->waiting_bytes() == 0);
    wire->drain();
    host.finish_batch();
    CHECK(wire->take().ends_with("connection: close\r\n\r\nno thanks"));
    CHECK(wire->shut_down);
    CHECK_FALSE(wire->closed);
    wire->send(std::string(1000, 'c'));
    CHECK(wire->waiting_bytes() == 0);
    wire->end();
    host.finish_batch();
    CHECK(wire->closed);
    CHECK_FALSE(wire->reset);
  }
  CHECK(application.http.at(0)->disconnects == 0);
}

TEST_CASE("HttpExchange: pipelined requests that wait are limited too", "[session][backpressure]") {
  TestApplication application;
  FakeHost host(application, small_marks());
  const auto wire = host.connect();
  for (int i = 0; i < 20; ++i) wire->send(kGet);
  CHECK_FALSE(wire->reading);
  CHECK(wire->waiting_bytes() > 10 * kGet.size());
  for (std::size_t i = 0; i < application.http.size(); ++i) {
    application.http[i]->answer({});
    host.finish_batch();
    wire->pump();
  }
  CHECK(application.http.size() == 20);
  CHECK(wire->reading);
}

TEST_CASE("HttpExchange: writable() is false while the client doesn't read, then on_writable comes",
          "[session][backpressure]") {
  TestApplication application;
  FakeHost host(application, small_marks());
  const auto wire = host.connect();
  wire->send(kGet);
  HttpCall& call = *application.http.at(0);
  wire->limit_room(0);
  call.responder()->send_head({200, {}});
  CHECK(call.responder()->send_content("first", More::Yes) == SendStatus::Sent);
  CHECK(call.responder()->poll_writable());
  CHECK(call.responder()->send_content(std::string(200, 'x'), More::Yes) == SendStatus::Sent);
  CHECK_FALSE(call.responder()->poll_writable());
  host.finish_batch();
  CHECK_FALSE(call.responder()->poll_writable());
  CHECK(call.responder()->send_content("more", More::Yes) == SendStatus::Sent);
  CHECK(call.writable_calls == 0);
  wire->drain();
  CHECK(call.writable_calls == 1);
  CHECK(call.responder()->poll_writable());
  host.finish_batch();
  CHECK(call.responder()->send_content("last", More::No) == SendStatus::Sent);
  host.finish_batch();
  CHECK(wire->take().ends_with("\r\n4\r\nmore\r\n4\r\nlast\r\n0\r\n\r\n"));
  CHECK(call.writable_calls == 1);
}

TEST_CASE("HttpExchange: on_writable waits for the low-water mark", "[session][backpressure]") {
  TestApplication application;
  FakeHost host(application, small_marks());
  const auto wire = host.connect();
  wire->send(kGet);
  HttpCall& call = *application.http.at(0);
  wire->limit_room(0);
  call.responder()->send_head({200, {}});
  call.responder()->send_content("first", More::Yes);
  host.finish_batch();  // this much is queued, what follows waits behind it
  call.responder()->send_content(std::string(200, 'x'), More::Yes);
  CHECK_FALSE(call.responder()->poll_writable());
  wire->drain_some(wire->queued.size());  // on_written: the rest is queued
  CHECK(call.writable_calls == 0);
  wire->drain();
  CHECK(call.writable_calls == 1);
}

TEST_CASE("HttpExchange: bytes that only wait for the end of the batch don't make it unwritable",
          "[session][backpressure]") {
  TestApplication application;
  FakeHost host(application, small_marks());
  const auto wire = host.connect();
  wire->send(kGet);
  HttpCall& call = *application.http.at(0);
  call.responder()->send_head({200, {}});
  call.responder()->send_content(std::string(1000, 'x'), More::Yes);
  CHECK(call.responder()->poll_writable());  // else on_writable would never come
  CHECK(wire->received.size() > 1000);
}

TEST_CASE("HttpExchange: who doesn't read responses is given no further ones",
          "[session][backpressure]") {
  TestApplication application;
  application.on_http = [](HttpCall& call) { call.answer(std::string(60, 'x')); };
  FakeHost host(application, small_marks());
  const auto wire = host.connect();
  wire->limit_room(0);
  for (int i = 0; i < 100; ++i) {
    wire->send(kGet);
    host.finish_batch();
  }
  CHECK(application.http.size() < 5);
  CHECK_FALSE(wire->reading);
  for (int i = 0; i < 100; ++i) {
    wire->drain();
    host.finish_batch();
    wire->pump();
  }
  CHECK(application.http.size() == 100);
  CHECK(wire->queued.empty());
}

TEST_CASE("HttpExchange: fail() answers 500 when nothing of the response has left",
          "[session][fail]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  SECTION("before send_head") { wire->send(kGet); }
  SECTION("after it: the head is held back") {
    application.on_http = [](HttpCall& call) { call.responder()->send_head({200, {}}); };
    wire->send(kGet);
  }
  SECTION("with a request that isn't complete") { wire->send(post(10)); }
  HttpCall& call = *application.http.at(0);
  call.responder()->fail();
  CHECK(call.responder() == nullptr);
  host.finish_batch();
  CHECK(wire->take() == kServerError);
  CHECK((wire->closed || wire->shut_down));
  CHECK_FALSE(wire->reset);
  CHECK(call.disconnects == 0);
  CHECK(host.access().ends_with("/\" 500 21\n"));
}

TEST_CASE("HttpExchange: fail() inside start_http answers 500", "[session][fail]") {
  TestApplication application;
  application.on_http = [](HttpCall& call) { call.responder()->fail(); };
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(kGet);
  host.finish_batch();
  CHECK(wire->take() == kServerError);
  CHECK(wire->closed);
}

TEST_CASE("HttpExchange: fail() cuts the connection when part of the response has left",
          "[session][fail]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(kGet);
  HttpCall& call = *application.http.at(0);
  call.responder()->send_head({200, {}});
  call.responder()->send_content("part", More::Yes);
  call.responder()->fail();
  CHECK(call.responder() == nullptr);
  CHECK(wire->received.ends_with("part\r\n"));  // what was sent is the client's
  host.finish_batch();
  CHECK(wire->closed);
  CHECK(wire->reset);
  CHECK(call.disconnects == 0);
  CHECK_FALSE(wire->take().ends_with("0\r\n\r\n"));
}

TEST_CASE("HttpExchange: content that doesn't fit Content-Length is refused (RFC 9110 8.6)",
          "[session][fail]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(kGet);
  HttpCall& call = *application.http.at(0);
  call.responder()->send_head({200, {{"content-length", "5"}}});
  SECTION("too long at first: nothing is sent, and the application may send what fits") {
    CHECK(call.responder()->send_content("hello!", More::No) == SendStatus::TooLong);
    host.finish_batch();
    CHECK(wire->received.empty());
    CHECK(call.responder()->send_content("hello", More::No) == SendStatus::Sent);
    host.finish_batch();
    CHECK(wire->take() == "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
  }
  SECTION("too long at first, and the application fails of it: 500") {
    CHECK(call.responder()->send_content("hello!", More::No) == SendStatus::TooLong);
    call.responder()->fail();
    host.finish_batch();
    CHECK(wire->take() == kServerError);
  }
  SECTION("too long later: only that piece isn't sent") {
    CHECK(call.responder()->send_content("hel", More::Yes) == SendStatus::Sent);
    CHECK(call.responder()->send_content("lo!", More::No) == SendStatus::TooLong);
    CHECK(call.responder()->send_content("lo", More::No) == SendStatus::Sent);
    host.finish_batch();
    CHECK(wire->take() == "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
  }
  SECTION("too short at once: 500") {
    CHECK(call.responder()->send_content("hell", More::No) == SendStatus::TooShort);
    CHECK(call.responder() == nullptr);
    host.finish_batch();
    CHECK(wire->take() == kServerError);
    CHECK_FALSE(wire->reset);
  }
  SECTION("too short later: the connection is cut") {
    CHECK(call.responder()->send_content("hel", More::Yes) == SendStatus::Sent);
    host.finish_batch();
    CHECK(call.responder()->send_content("l", More::No) == SendStatus::TooShort);
    CHECK(call.responder() == nullptr);
    host.finish_batch();
    CHECK(wire->closed);
    CHECK(wire->reset);
  }
  CHECK(call.disconnects == 0);
}
