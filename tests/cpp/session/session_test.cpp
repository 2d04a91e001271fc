// Requests one after the other on a connection: keep-alive, pipelining, applications that answer at
// once and later, and what is answered without an application (RFC 9112 sections 2.2 and 9).
#include <chrono>
#include <string>
#include <vector>

#include "server/session/connection/connection.h"
#include "support/catch.h"
#include "support/fake_host.h"
#include "support/feed.h"
#include "support/test_application.h"

using namespace cppasgi;
using namespace cppasgi::test;
using std::chrono::milliseconds;

namespace {

const std::string kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string kPost = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";

std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n";
}

std::string ok(std::string_view content, std::string_view more_fields = {}) {
  return "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(content.size()) + "\r\n" +
         std::string(more_fields) + "\r\n" + std::string(content);
}

constexpr std::string_view kClose = "connection: close\r\n";

void answer_target(HttpCall& call) { call.answer(call.request_line); }
void answer_ended(HttpCall& call) {
  call.take();
  if (call.ended) call.answer(call.content);
}

}  // namespace

TEST_CASE("Session: a connection persists from request to request (RFC 9112 9.3)", "[session]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  for (int round = 0; round < 3; ++round) {
    wire->send(get("/" + std::to_string(round)));
    host.finish_batch();
    REQUIRE(application.http.size() == static_cast<std::size_t>(round) + 1);
    CHECK(wire->received.empty());
    answer_target(*application.http.back());
    CHECK(application.http.back()->responder() == nullptr);
    host.finish_batch();
    CHECK(wire->take() == ok("GET /" + std::to_string(round)));
    CHECK(wire->reading);
  }
  CHECK(host.access() ==
        "192.0.2.7:40000 \"GET /0\" 200 6\n192.0.2.7:40000 \"GET /1\" 200 6\n"
        "192.0.2.7:40000 \"GET /2\" 200 6\n");
  CHECK(application.log.empty());
}

TEST_CASE("Session: an application may answer inside start_http", "[session]") {
  TestApplication application;
  application.on_http = answer_target;
  FakeHost host(application);
  const auto wire = host.connect();
  for (int round = 0; round < 3; ++round) {
    wire->send(kGet);
    wire->send(kPost);
    host.finish_batch();
    CHECK(wire->take() == ok("GET /") + ok("POST /p"));
  }
  CHECK(application.http.size() == 6);
  for (const auto& call : application.http) {
    CHECK(call->content_calls == 0);
    CHECK(call->disconnects == 0);
  }
}

TEST_CASE("Session: an application may answer inside on_content", "[session]") {
  TestApplication application;
  application.on_http_content = answer_ended;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(kGet + kPost);
  wire->send(kPost);
  host.finish_batch();
  CHECK(wire->take() == ok("") + ok("hello") + ok("hello"));
}

TEST_CASE("Session: responses keep the order of pipelined requests (RFC 9112 9.3.2)", "[session]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(get("/1") + kPost + get("/3"));
  host.finish_batch();
  REQUIRE(application.http.size() == 1);  // one at a time
  answer_target(*application.http[0]);
  CHECK(application.http.size() == 1);  // not inside the call that answered
  host.finish_batch();
  REQUIRE(application.http.size() == 2);
  CHECK(wire->take() == ok("GET /1"));
  answer_ended(*application.http[1]);
  host.finish_batch();
  REQUIRE(application.http.size() == 3);
  answer_target(*application.http[2]);
  host.finish_batch();
  CHECK(wire->take() == ok("hello") + ok("GET /3"));
}

TEST_CASE("Session: a thousand pipelined requests in one read are all answered, without recursion",
          "[session]") {
  std::string requests;
  std::string responses;
  for (int i = 0; i < 1000; ++i) {
    requests += get("/" + std::to_string(i));
    responses += ok("GET /" + std::to_string(i));
  }
  TestApplication application;
  int depth = 0;
  application.on_http = [&depth](HttpCall& call) {
    CHECK(++depth == 1);
    answer_target(call);
    --depth;
  };
  SECTION("answered at once") {}
  SECTION("answered later") { application.on_http = nullptr; }
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(requests);
  host.finish_batch();
  for (std::size_t i = 0; i < application.http.size(); ++i) {
    if (application.http[i]->responder() != nullptr) answer_target(*application.http[i]);
    host.finish_batch();
  }
  CHECK(application.http.size() == 1000);
  CHECK((wire->received == responses));
}

TEST_CASE("Session: requests mean the same however they are split", "[session]") {
  const std::string requests = get("/1") + kPost +
                               "PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" +
                               get("/4");
  const std::string echoed = ok("") + ok("hello") + ok("abcde") + ok("");
  const std::string named =
      ok("GET /1") + ok("POST /p", kClose);  // answered before the request's end
  for_every_split(requests, [&](const Pieces& pieces) {
    for (const bool at_once : {false, true}) {
      TestApplication application;
      if (at_once) application.on_http_content = answer_ended;
      FakeHost host(application);
      const auto wire = host.connect();
      for (const std::string_view piece : pieces) {
        wire->send(piece);
        host.finish_batch();
      }
      for (std::size_t i = 0; !at_once && i < application.http.size(); ++i) {
        answer_ended(*application.http[i]);
        host.finish_batch();
      }
      if (wire->received != echoed) CHECK(wire->received == echoed);
    }
  });
  // Byte by byte, the content of the second request isn't there yet when it is answered.
  TestApplication application;
  application.on_http = answer_target;
  FakeHost host(application);
  const auto wire = host.connect();
  for (const char byte : requests) {
    wire->send({&byte, 1});
    host.finish_batch();
  }
  CHECK(wire->received == named);
}

TEST_CASE("Session: a whole request answered inside start_http leaves the connection clean",
          "[session]") {
  TestApplication application;
  application.on_http = answer_target;
  FakeHost host(application);
  SECTION("the next one may be a WebSocket's opening handshake") {
    const auto wire = host.connect();
    wire->send(kPost +
               "GET /w HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    host.finish_batch();
    CHECK(wire->take() == ok("POST /p"));
    CHECK(application.http.size() == 1);
    CHECK(application.websockets.size() == 1);
  }
  SECTION("Connection: close ends it without waiting for more (RFC 9112 9.6)") {
    const auto wire = host.connect();
    wire->send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    host.finish_batch();
    CHECK(wire->take() == ok("GET /", kClose));
    CHECK(wire->closed);
  }
  SECTION("an HTTP/1.0 request likewise") {
    const auto wire = host.connect();
    wire->send("GET / HTTP/1.0\r\n\r\n");
    host.finish_batch();
    CHECK(wire->take() == ok("GET /", kClose));
    CHECK(wire->closed);
  }
}

TEST_CASE("Session: an answer inside start_http survives broken content in the same read",
          "[session]") {
  TestApplication application;
  application.on_http = answer_target;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n");
  host.finish_batch();
  CHECK(wire->take().ends_with("POST /"));
  CHECK_FALSE(wire->reset);
  CHECK(wire->shut_down);
}

TEST_CASE("Session: HEAD gets the head of the response alone (RFC 9110 9.3.2)", "[session]") {
  TestApplication application;
  application.on_http = answer_target;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n" + kGet);
  host.finish_batch();
  CHECK(wire->take() == "HTTP/1.1 200 OK\r\n\r\n" + ok("GET /"));
  CHECK(host.access() == "192.0.2.7:40000 \"HEAD /h\" 200 -\n192.0.2.7:40000 \"GET /\" 200 5\n");
}

TEST_CASE("Session: what isn't a request is answered by the server, with one log line each",
          "[session]") {
  struct Case {
    std::string request;
    std::string status;
    std::string log;
    std::string seen;  // of the request line, in the access log
  };
  const auto [request, status, log, seen] = GENERATE(values<Case>({
      {"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", "400 Bad Request", "malformed request line", "GET /"},
      {"GET /a\x01 HTTP/1.1\r\nHost: x\r\n\r\n", "400 Bad Request", "invalid request target",
       "GET /a"},
      {get("/" + std::string(17'000, 'a')), "414 URI Too Long", "request target too long",
       "GET /" + std::string(17'000, 'a')},
      {"GET / HTTP/1.1\r\nA: " + std::string(66'000, 'a') + "\r\n\r\n",
       "431 Request Header Fields Too Large", "header section too large", "GET /"},
      {"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", "501 Not Implemented", "method not implemented",
       "BREW -"},
      {"GETTER / HTTP/1.1\r\nHost: x\r\n\r\n", "501 Not Implemented", "method not implemented",
       "GETTER -"},
      {"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", "501 Not Implemented", "method not implemented",
       "CONNECT x:1"},
      {"\x16\x03\x01", "400 Bad Request", "malformed request line", "- -"},
      {"GET / HTTP/1.1\r\n\r\n", "400 Bad Request", "no Host", "GET /"},
  }));
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(request);
  host.finish_batch();
  CHECK(wire->take() == "HTTP/1.1 " + status +
                            "\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: " +
                            std::to_string(log.size()) + "\r\nconnection: close\r\n\r\n" + log);
  CHECK(wire->shut_down);
  CHECK(application.http.empty());
  CHECK(application.log == std::vector<std::string>{"192.0.2.7:40000: " + log});
  CHECK(host.access() == "192.0.2.7:40000 \"" + seen + "\" " + status.substr(0, 3) + ' ' +
                             std::to_string(log.size()) + '\n');
}

TEST_CASE("Session: what of a refused request is logged doesn't depend on how it came",
          "[session]") {
  const auto [request, seen] = GENERATE(table<std::string, std::string>({
      {"BREW / HTTP/1.1\r\n", "BREW - 501"},
      {"GETTER / HTTP/1.1\r\n", "GETTER - 501"},
      {"POSX\x01", "POSX - 400"},
      {"GET /ab\x01", "GET /ab 400"},
      {"PATCH http://h/\x7f", "PATCH http://h/ 400"},
      {"GET /a HTTP/3.0\r\n", "GET /a 505"},
  }));
  for_every_split(request, [&seen = seen](const Pieces& pieces) {
    TestApplication application;
    ServerOptions options;
    options.access_log_format = "%(m)s %(U)s %(s)s";
    FakeHost host(application, options);
    const auto wire = host.connect();
    for (const std::string_view piece : pieces) wire->send(piece);
    host.finish_batch();
    CHECK(host.access() == seen + '\n');
  });
}

TEST_CASE("Session: a request that breaks off in its content is answered with 400", "[session]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send("POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
  REQUIRE(application.http.size() == 1);
  SECTION("when nothing of the response has left, and the application hears of it") {
    application.http[0]->responder()->send_head({200, {}});
    wire->send("zz\r\n");
    CHECK(application.http[0]->disconnects == 1);
    CHECK(application.http[0]->responder() == nullptr);
    host.finish_batch();
    CHECK(wire->take().starts_with("HTTP/1.1 400 Bad Request\r\n"));
    CHECK(wire->shut_down);
    CHECK(host.access() == "192.0.2.7:40000 \"POST /b\" 400 25\n");
  }
  SECTION("else the connection is cut") {
    application.http[0]->responder()->send_head({200, {}});
    application.http[0]->responder()->send_content("part", More::Yes);
    host.finish_batch();
    wire->send("zz\r\n");
    CHECK(application.http[0]->disconnects == 1);
    host.finish_batch();
    CHECK(wire->closed);
    CHECK(wire->reset);
  }
  CHECK(application.log == std::vector<std::string>{"192.0.2.7:40000: malformed chunked content"});
}

TEST_CASE("Session: log lines of a Unix client name no address", "[session]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = std::make_shared<Wire>();
  wire->client = {Address::Family::Unix, "", 0};
  host.connect(wire);
  wire->send("\r\r");
  host.finish_batch();
  CHECK(application.log == std::vector<std::string>{"malformed request line"});
  CHECK(host.access() == "None \"- -\" 400 22\n");
}

TEST_CASE("Session: an application without a handler still answers", "[session]") {
  TestApplication application;
  application.on_http = [](HttpCall& call) { call.responder()->set_handler(nullptr); };
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(kPost);
  host.finish_batch();
  REQUIRE(application.http.size() == 1);
  CHECK(application.http[0]->content_calls == 0);
  answer_ended(*application.http[0]);
  host.finish_batch();
  CHECK(wire->take() == ok("hello"));
  wire->send(kPost.substr(0, kPost.size() - 1));
  wire->fail();
  host.finish_batch();
  CHECK(application.http[1]->disconnects == 0);
  CHECK(application.http[1]->responder() == nullptr);
  CHECK(wire->closed);
}

TEST_CASE("Session: an application sees the request and the connection", "[session]") {
  TestApplication application;
  FakeHost host(application);
  const auto wire = host.connect();
  wire->send(get("/path?query"));
  REQUIRE(application.http.size() == 1);
  const HttpResponder& responder = *application.http[0]->responder();
  CHECK(responder.request().target() == "/path?query");
  CHECK(responder.request().find("host") == "x");
  CHECK(responder.connection().client == wire->client);
  CHECK(responder.connection().server == wire->server);
  CHECK_FALSE(responder.connection().secure);
}
