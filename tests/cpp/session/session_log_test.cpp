// Every request has one line in the access log and one count, however it ends.
#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

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

const std::string kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string kUpload = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n";
const std::string kHandshakeWithContent =
    "GET /a HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Content-Length: 5\r\n\r\n";

ServerOptions few_limits() {
  ServerOptions options;
  options.access_log_format = "%(m)s %(U)s %(s)s %(X)s";
  options.http.max_content_bytes = 100;
  options.timeouts.request_head = 7s;
  options.timeouts.request_content = 7s;
  options.timeouts.response_start = 20s;
  return options;
}

// One connection; the application does nothing by itself.
struct Client {
  TestApplication application;
  FakeHost host{application, few_limits()};
  std::shared_ptr<Wire> wire = host.connect();

  Client& send(std::string_view bytes) {
    wire->send(bytes);
    host.finish_batch();
    return *this;
  }
  HttpResponder& responder() { return *application.http.back()->responder(); }
  Client& begin(int status = 200) {
    responder().send_head({status, {}});
    responder().send_content("part", More::Yes);
    host.finish_batch();
    return *this;
  }
  Client& answer() {
    application.http.back()->answer("ok");
    host.finish_batch();
    return *this;
  }
  void reset() {
    wire->fail();
    host.finish_batch();
  }
  void half_close() {
    wire->end();
    host.pass(2s);
  }
  void pass(std::chrono::milliseconds time) { host.pass(time); }
  void stop() {
    host.drain();
    host.driver().cut_short();
    host.finish_batch();
  }

  std::uint64_t counted() {
    std::uint64_t sum = host.metrics->responses_cut.value();
    for (const Counter& counter : host.metrics->responses) sum += counter.value();
    return sum;
  }
};

struct Case {
  std::string what;
  std::function<void(Client&)> happens;
  std::string lines;
};

}  // namespace

TEST_CASE("Session: every request has one line and one count, however it ends", "[session][log]") {
  const Case each = GENERATE(values<Case>({
      {"nothing came", [](Client& c) { c.reset(); }, ""},
      {"only an empty line came", [](Client& c) { c.send("\r\n").reset(); }, ""},
      {"nothing came in time", [](Client& c) { c.pass(8s); }, ""},
      {"answered", [](Client& c) { c.send(kGet).answer().reset(); }, "GET /a 200 -\n"},
      {"left in its head", [](Client& c) { c.send("GET /a HT").reset(); }, "GET /a 499 -\n"},
      {"half-closed in its head", [](Client& c) { c.send("GET /a HT").half_close(); },
       "GET /a 499 -\n"},
      {"left in its method", [](Client& c) { c.send("GE").reset(); }, "GE - 499 -\n"},
      {"its head took too long", [](Client& c) { c.send("GET /a HT").pass(8s); }, "GET /a 408 -\n"},
      {"left in its content", [](Client& c) { c.send(kUpload + "ab").reset(); }, "POST /a 499 -\n"},
      {"half-closed in its content", [](Client& c) { c.send(kUpload + "ab").half_close(); },
       "POST /a 499 -\n"},
      {"its content took too long", [](Client& c) { c.send(kUpload + "ab").pass(8s); },
       "POST /a 408 -\n"},
      {"its content took too long after the response began",
       [](Client& c) { c.send(kUpload + "ab").begin().pass(8s); }, "POST /a 200 X\n"},
      {"too much content is announced",
       [](Client& c) { c.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n"); },
       "POST /a 413 -\n"},
      {"too much content comes",
       [](Client& c) {
         c.send("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n");
       },
       "POST /a 413 -\n"},
      {"left before the response", [](Client& c) { c.send(kGet).reset(); }, "GET /a 499 -\n"},
      {"left before the response whose head is held back",
       [](Client& c) {
         c.send(kGet).responder().send_head({200, {}});
         c.reset();
       },
       "GET /a 499 -\n"},
      {"half-closed for good before the response",
       [](Client& c) {
         c.send(kGet).half_close();
         c.pass(3s);
       },
       "GET /a 499 -\n"},
      {"half-closed, but answered",
       [](Client& c) {
         c.send(kGet).wire->end();
         c.answer();
       },
       "GET /a 200 -\n"},
      {"left in the response", [](Client& c) { c.send(kGet).begin(404).reset(); },
       "GET /a 404 X\n"},
      {"left server-sent events, which is their end",
       [](Client& c) {
         c.send(kGet).responder().send_head({200, {{"content-type", "text/event-stream"}}});
         c.responder().send_content("data: 1\n\n", More::Yes);
         c.reset();
       },
       "GET /a 200 -\n"},
      {"the application fails in server-sent events",
       [](Client& c) {
         c.send(kGet).responder().send_head({200, {{"content-type", "text/event-stream"}}});
         c.responder().send_content("data: 1\n\n", More::Yes);
         c.responder().fail();
       },
       "GET /a 200 X\n"},
      {"HEAD, left in the response",
       [](Client& c) { c.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n").begin().reset(); },
       "HEAD /a 200 X\n"},
      {"304",
       [](Client& c) {
         c.send(kGet).responder().send_head({304, {}});
         c.responder().send_content({}, More::No);
         c.reset();
       },
       "GET /a 304 -\n"},
      {"the application fails", [](Client& c) { c.send(kGet).responder().fail(); },
       "GET /a 500 -\n"},
      {"the application fails in the response",
       [](Client& c) { c.send(kGet).begin().responder().fail(); }, "GET /a 200 X\n"},
      {"the response is too short",
       [](Client& c) {
         c.send(kGet).responder().send_head({200, {{"content-length", "9"}}});
         c.responder().send_content("part", More::Yes);
         c.responder().send_content("", More::No);
       },
       "GET /a 200 X\n"},
      {"no response in time", [](Client& c) { c.send(kGet).pass(21s); }, "GET /a 503 -\n"},
      {"a stop before the response", [](Client& c) { c.send(kGet).stop(); }, "GET /a 503 -\n"},
      {"a stop in the response", [](Client& c) { c.send(kGet).begin().stop(); }, "GET /a 200 X\n"},
      {"a stop in the head", [](Client& c) { c.send("GET /a HT").stop(); }, "GET /a 503 X\n"},
      {"the server ends at once",
       [](Client& c) { c.send(kGet).host.connection().cut(session::Blame::Server); },
       "GET /a 503 X\n"},
      {"pipelined behind one that fails in its response: it was never read",
       [](Client& c) { c.send(kGet + kGet).begin().responder().fail(); }, "GET /a 200 X\n"},
      {"pipelined behind one that is answered",
       [](Client& c) { c.send(kGet + kGet).answer().reset(); }, "GET /a 200 -\nGET /a 499 -\n"},
      {"pipelined behind one that isn't read",
       [](Client& c) {
         c.wire->limit_room(10);
         c.send(kGet + kGet).answer().reset();
       },
       "GET /a 200 -\nGET /a 499 -\n"},
      {"malformed behind one that is answered",
       [](Client& c) { c.send(kGet + "BREW /a HTTP/1.1\r\n\r\n").answer(); },
       "GET /a 200 -\nBREW - 501 -\n"},
      {"refused before it was read",
       [](Client& c) {
         c.host.driver().refuse();
         c.send(kGet);
         c.reset();
       },
       "- - 503 -\n"},
      {"an opening handshake of another version",
       [](Client& c) {
         std::string request = opening_handshake();
         request.replace(request.find("Version: 13"), 11, "Version: 12");
         c.send(request).reset();
       },
       "GET /w 426 -\n"},
      {"left in an opening handshake's content",
       [](Client& c) { c.send(kHandshakeWithContent).reset(); }, "GET /a 499 -\n"},
  }));
  CAPTURE(each.what);
  Client client;
  each.happens(client);
  client.host.finish_batch();
  CHECK(client.host.access() == each.lines);
  CHECK(client.counted() ==
        static_cast<std::uint64_t>(std::count(each.lines.begin(), each.lines.end(), '\n')));
  CHECK(client.host.metrics->requests_in_flight.value() == 0);
  client.reset();
  CHECK(client.host.access() == each.lines);
}

TEST_CASE("Session: a long response has its line once most of it has left", "[session][log]") {
  Client client;
  client.wire->limit_room(1000);
  client.send(kGet);
  client.application.http.back()->answer(std::string(100'000, 'x'));
  client.host.finish_batch();
  CHECK(client.application.http.back()->responder() == nullptr);  // the application has done all
  CHECK(client.host.access().empty());
  CHECK(client.host.metrics->requests_in_flight.value() == 1);
  std::string lines;
  SECTION("the client reads it") {
    client.wire->drain();
    lines = "GET /a 200 -\n";
  }
  SECTION("the client leaves") {
    client.wire->fail();
    lines = "GET /a 200 X\n";
  }
  SECTION("the client reads too little") {
    client.pass(3600s);
    lines = "GET /a 200 X\n";
  }
  SECTION("another request follows") {
    client.send(kGet);
    CHECK(client.application.http.size() == 1);
    client.wire->drain();
    client.host.finish_batch();
    CHECK(client.host.access() == "GET /a 200 -\n");
    CHECK(client.application.http.size() == 2);
    client.answer();
    lines = "GET /a 200 -\nGET /a 200 -\n";
  }
  client.host.finish_batch();
  CHECK(client.host.access() == lines);
  CHECK(client.host.metrics->requests_in_flight.value() == 0);
  client.reset();
  CHECK(client.host.access() == lines);
}

TEST_CASE("Session: a request counts for the route that its response names", "[session][log]") {
  Client client;
  const auto answer = [&client](int status, std::string_view content) {
    client.send(kGet);
    client.responder().send_head({status, {{"cppasgi-route", "/a"}}});
    client.responder().send_content(content, More::No);
    client.host.finish_batch();
  };
  answer(200, "ok");
  answer(404, "no");
  answer(503, "broken");
  client.send(kGet).answer();  // names none
  client.wire->limit_room(1000);
  answer(200, std::string(100'000, 'x'));
  client.reset();
  const Route& route = client.host.metrics->routes[0];
  CHECK(route.view() == "/a");
  CHECK(route.requests.value() == 4);
  CHECK(route.failures.value() == 2);
  CHECK(route.time.value() > 0);
  CHECK(client.host.metrics->routes[1].requests.value() == 0);
  CHECK(client.host.metrics->other_routes.requests.value() == 0);
}

TEST_CASE("Session: what a proxy said of one request isn't logged for the next", "[session][log]") {
  TestApplication application;
  ServerOptions options;
  options.proxy.address = "x-forwarded-for";
  options.proxy.trusted = {"*"};
  FakeHost host(application, options);
  const auto wire = host.connect();
  wire->send("GET /a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n");
  application.http.back()->answer("ok");
  wire->send("BREW /a HTTP/1.1\r\n\r\n");
  host.finish_batch();
  CHECK(host.access() == "203.0.113.9:0 \"GET /a\" 200 2\n192.0.2.7:40000 \"BREW -\" 501 22\n");
}

TEST_CASE("WebSocketSession: an opening handshake has one line that ends it", "[session][log]") {
  Client client;
  std::string last;
  SECTION("the client leaves before the answer") {
    client.send(opening_handshake()).reset();
    last = "WSDISCONNECT /w - -\n";
  }
  SECTION("the client leaves in a denial") {
    client.send(opening_handshake());
    client.application.websockets.back()->responder()->deny_head({401, {}});
    client.application.websockets.back()->responder()->deny_content("no", More::Yes);
    client.reset();
    last = "WSREJECT /w - X\n";
  }
  SECTION("a denial is too short") {
    client.send(opening_handshake());
    WebSocketResponder* responder = client.application.websockets.back()->responder();
    responder->deny_head({401, {{"content-length", "9"}}});
    responder->deny_content("no", More::Yes);
    responder->deny_content("", More::No);
    last = "WSREJECT /w - X\n";
  }
  SECTION("a whole denial") {
    client.send(opening_handshake());
    client.application.websockets.back()->responder()->deny_head({401, {}});
    client.application.websockets.back()->responder()->deny_content("no", More::No);
    client.reset();
    last = "WSREJECT /w - -\n";
  }
  SECTION("the server ends") {
    client.send(opening_handshake()).stop();
    last = "WSDISCONNECT /w - -\n";
  }
  client.host.finish_batch();
  CHECK(client.host.access() == "WSCONNECTING /w - -\n" + last);
}
