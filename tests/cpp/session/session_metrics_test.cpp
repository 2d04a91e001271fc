// What a connection and its HTTP requests count (server/metrics.h), and under which name.
#include <chrono>
#include <string>

#include "session/counted_client.h"
#include "support/catch.h"

using namespace cppasgi;
using namespace cppasgi::test;
using namespace std::chrono_literals;

TEST_CASE("Session: connections, bytes and responses are counted", "[session][metrics]") {
  CountedClient client;
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
  CountedClient client;
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
  CountedClient client(options);
  client.send(kGet);
  CHECK(total(client.metrics().request_duration) == 1);
}

TEST_CASE("Session: a request whose client leaves is counted as 499 or cut, with its time",
          "[session][metrics]") {
  ServerOptions options;
  options.access_log_format = "json";
  CountedClient client(options);
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
  CountedClient client(options);
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
  CountedClient client(options);
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
  CountedClient client(options);
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
  CountedClient client(options);
  client.wire->limit_room(3);
  client.send(kGet);
  CHECK(client.count(Limit::KeepAliveRequests) == 1);
  client.host.pass(5s);
  CHECK(client.count(Limit::TimeoutSend) == 1);
}
