// Early hints, trailers and files as a session sends them (RFC 8297, RFC 9112 7.1.2).
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include "server/session/exchange/http_exchange.h"
#include "support/catch.h"
#include "support/fake_host.h"
#include "support/test_application.h"

using namespace cppasgi;
using namespace cppasgi::test;

namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

// A file without a name.
class ContentFile {
 public:
  explicit ContentFile(std::string_view content) : fd_(memfd_create("content", 0)) {
    REQUIRE(write(fd_, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  }
  ~ContentFile() { close(fd_); }
  ContentFile(const ContentFile&) = delete;
  ContentFile& operator=(const ContentFile&) = delete;

  FileSlice slice() const { return FileSlice::copy_of(fd_); }
  void truncate(off_t size) const { REQUIRE(ftruncate(fd_, size) == 0); }

 private:
  int fd_;
};

const std::string kContent(100, 'x');
const std::string kChunkedHead = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

}  // namespace

TEST_CASE("HttpExchange: early hints leave while the application works on", "[session]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(kGet);
  HttpCall& call = *application.http.at(0);
  call.responder()->send_early_hints({"</a.css>; rel=preload"});
  host.finish_batch();
  CHECK(wire->take() == "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n");
  SECTION("then the response") {
    call.answer("ok");
    host.finish_batch();
    CHECK(wire->take() == "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  }
  SECTION("then a failure: 500 is still possible") {
    call.responder()->fail();
    host.finish_batch();
    CHECK(wire->take().starts_with("HTTP/1.1 500 "));
    CHECK_FALSE(wire->reset);
  }
}

TEST_CASE("HttpExchange: a response with trailers is complete after them", "[session]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(std::string(kGet) + std::string(kGet));
  HttpCall& call = *application.http.at(0);
  call.responder()->send_head({200, {}, true});
  CHECK(call.responder()->send_content("ok", More::No) == SendStatus::Sent);
  host.finish_batch();
  REQUIRE(call.responder() != nullptr);
  CHECK(application.http.size() == 1);
  SECTION("they end it, and the next request has its turn") {
    call.responder()->send_trailers({{"x-a", "1"}}, More::Yes);
    REQUIRE(call.responder() != nullptr);
    call.responder()->send_trailers({{"x-b", "2"}}, More::No);
    CHECK(call.responder() == nullptr);
    host.finish_batch();
    CHECK(wire->take().ends_with("\r\n\r\n2\r\nok\r\n0\r\nx-a: 1\r\nx-b: 2\r\n\r\n"));
    CHECK(application.http.size() == 2);
    CHECK(host.access().ends_with("/\" 200 2\n"));
  }
  SECTION("a failure before them cuts the connection") {
    call.responder()->fail();
    host.finish_batch();
    CHECK(wire->reset);
  }
}

TEST_CASE("HttpExchange: a file that the kernel takes at once completes at once",
          "[session][file]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  const ContentFile file(kContent);
  wire->send(kGet);
  HttpCall& call = *application.http.at(0);
  call.responder()->send_head({200, {}});
  SECTION("whole: it gets its length") {
    CHECK(call.responder()->send_file(file.slice(), More::No) == SendStatus::Sent);
    CHECK(call.responder() == nullptr);
    host.finish_batch();
    CHECK(wire->take() == "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n" + kContent);
  }
  SECTION("in parts, between others: chunked") {
    FileSlice part = file.slice();
    part.select(90, 1000);
    call.responder()->send_content("a", More::Yes);
    CHECK(call.responder()->send_file(std::move(part), More::Yes) == SendStatus::Sent);
    CHECK(call.responder()->poll_writable());
    FileSlice nothing = file.slice();
    nothing.select(1000, 1);
    CHECK(call.responder()->send_file(std::move(nothing), More::Yes) == SendStatus::Sent);
    CHECK(call.responder()->send_content("b", More::No) == SendStatus::Sent);
    host.finish_batch();
    CHECK(wire->take() == kChunkedHead + "1\r\na\r\na\r\nxxxxxxxxxx\r\n1\r\nb\r\n0\r\n\r\n");
  }
  CHECK(call.writable_calls == 0);
  wire->send(kGet);
  CHECK(application.http.size() == 2);
}

TEST_CASE("HttpExchange: HEAD gets a file's head only", "[session][file]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  const ContentFile file(kContent);
  wire->send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  HttpCall& call = *application.http.at(0);
  call.responder()->send_head({200, {{"content-length", "100"}}});
  CHECK(call.responder()->send_file(file.slice(), More::No) == SendStatus::Sent);
  CHECK(call.responder() == nullptr);
  host.finish_batch();
  CHECK(wire->take() == "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n");
}

TEST_CASE("HttpExchange: a file goes on as the client reads, then the next request's turn comes",
          "[session][file]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  const ContentFile file(kContent);
  wire->limit_room(GENERATE(0, 10, 65, 120));
  wire->send(std::string(kGet) + std::string(kGet));
  HttpCall& call = *application.http.at(0);
  call.responder()->send_head({200, {}});
  const More more = GENERATE(More::No, More::Yes);
  CHECK(call.responder()->send_file(file.slice(), more) == SendStatus::Sent);
  host.finish_batch();
  REQUIRE(call.responder() != nullptr);
  CHECK_FALSE(call.responder()->poll_writable());
  CHECK(call.writable_calls == 0);
  CHECK(application.http.size() == 1);
  wire->drain();
  CHECK(call.writable_calls == 1);
  if (more == More::Yes) {
    REQUIRE(call.responder() != nullptr);
    CHECK(call.responder()->poll_writable());
    call.responder()->send_content({}, More::No);
  }
  CHECK(call.responder() == nullptr);
  host.finish_batch();
  const std::string bytes = wire->take();
  if (more == More::Yes) {
    CHECK(bytes == kChunkedHead + "64\r\n" + kContent + "\r\n0\r\n\r\n");
  } else {
    CHECK(bytes == "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n" + kContent);
  }
  CHECK(application.http.size() == 2);
  CHECK(host.access().ends_with("/\" 200 100\n"));
}

TEST_CASE("HttpExchange: a file that doesn't fit Content-Length is refused (RFC 9110 8.6)",
          "[session][file]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  const ContentFile file(kContent);
  wire->send(kGet);
  HttpCall& call = *application.http.at(0);
  SECTION("too long: nothing is sent") {
    call.responder()->send_head({200, {{"content-length", "99"}}});
    CHECK(call.responder()->send_file(file.slice(), More::No) == SendStatus::TooLong);
    REQUIRE(call.responder() != nullptr);
    host.finish_batch();
    CHECK(wire->take().empty());
  }
  SECTION("too short at once: 500") {
    call.responder()->send_head({200, {{"content-length", "101"}}});
    CHECK(call.responder()->send_file(file.slice(), More::No) == SendStatus::TooShort);
    CHECK(call.responder() == nullptr);
    host.finish_batch();
    CHECK(wire->take().starts_with("HTTP/1.1 500 "));
  }
  SECTION("too short later: the connection is cut") {
    call.responder()->send_head({200, {{"content-length", "101"}}});
    CHECK(call.responder()->send_file(file.slice(), More::Yes) == SendStatus::Sent);
    CHECK(call.responder()->send_content({}, More::No) == SendStatus::TooShort);
    CHECK(wire->reset);
  }
}

TEST_CASE("HttpExchange: a file that becomes shorter cuts the connection", "[session][file]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  const ContentFile file(kContent);
  wire->limit_room(60);
  wire->send(kGet);
  HttpCall& call = *application.http.at(0);
  call.responder()->send_head({200, {}});
  call.responder()->send_file(file.slice(), More::No);
  file.truncate(50);
  wire->drain();
  CHECK(call.disconnects == 1);
  CHECK(call.responder() == nullptr);
  CHECK(application.log.size() == 1);
  host.finish_batch();
  CHECK(wire->closed);
  CHECK(wire->reset);
}

TEST_CASE("HttpExchange: the application's end, or the client's, ends a file", "[session][file]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  const ContentFile file(kContent);
  wire->limit_room(0);
  wire->send(kGet);
  HttpCall& call = *application.http.at(0);
  call.responder()->send_head({200, {}});
  call.responder()->send_file(file.slice(), More::Yes);
  SECTION("the application fails") {
    call.responder()->fail();
    CHECK(call.disconnects == 0);
  }
  SECTION("the client leaves") {
    wire->fail();
    CHECK(call.disconnects == 1);
  }
  CHECK(call.responder() == nullptr);
  CHECK(call.writable_calls == 0);
  host.finish_batch();
  CHECK(wire->closed);
  CHECK(wire->reset);
}

TEST_CASE("HttpExchange: a client that stops reading a file is given up, one that reads on is not",
          "[session][file]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  const ContentFile file(kContent);
  wire->limit_room(0);
  wire->send(kGet);
  HttpCall& call = *application.http.at(0);
  call.responder()->send_head({200, {}});
  call.responder()->send_file(file.slice(), More::No);
  const auto time = host.options.timeouts.send - std::chrono::milliseconds(1);
  const int looks = GENERATE(0, 3);
  for (int look = 0; look < looks; ++look) {
    wire->limit_room(1);
    wire->drain_some(wire->queued.size());
    host.pass(time);
    CHECK(call.disconnects == 0);
  }
  host.pass(looks == 0 ? host.options.timeouts.send : std::chrono::milliseconds(1));
  CHECK(call.disconnects == 1);
}
