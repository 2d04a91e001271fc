// The server from outside: requests, WebSockets and time-outs over real sockets.
#include "server/server.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "net/net_fixture.h"
#include "server/test_server.h"
#include "support/catch.h"
#include "support/websocket_client.h"
#include "support/websocket_frames.h"

using namespace cppasgi;
using namespace cppasgi::test;

namespace {

using namespace std::chrono_literals;

std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n";
}

std::string ok(std::string_view content) {
  return "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(content.size()) + "\r\n\r\n" +
         std::string(content);
}

void answer_target(HttpCall& call) { call.answer(call.request_line); }

// Sends content back as it comes, no faster than the client reads.
void echo(HttpCall& call) {
  if (call.content_calls == 0) call.responder()->send_head({200, {}});
  while (call.responder() != nullptr && call.responder()->poll_writable()) {
    std::string content;
    const ContentStatus status = call.responder()->take_content(content);
    if (status == ContentStatus::Pending) return;
    call.responder()->send_content(content, status == ContentStatus::End ? More::No : More::Yes);
  }
}

void echo_messages(WebSocketCall& call) {
  while (call.take()) call.responder()->send_text(call.messages.back());
}

}  // namespace

TEST_CASE("Server: says hello, request after request", "[server]") {
  TestServer test;
  test.application.on_http = answer_target;
  test.run([&] {
    SocketClient client(test.address);
    for (const char* target : {"/1", "/2", "/3"}) {
      client.send(get(target));
      const std::string expected = ok("GET " + std::string(target));
      CHECK(client.read_bytes(expected.size()) == expected);
      client.take();
    }
    CHECK(test.wait_for([&] { return test.server.connections() == 1; }));
    client.close_now();
    CHECK(test.wait_for([&] { return test.server.connections() == 0; }));
  });
  const HttpCall& call = *test.application.http.at(0);
  CHECK(call.disconnects == 0);
  const std::string log = test.log.text();
  CHECK(log.starts_with("127.0.0.1:"));
  CHECK(log.find("] \"GET /2\" 200 6\n") != std::string::npos);
  CHECK(std::count(log.begin(), log.end(), '\n') == 3);
}

TEST_CASE("Server: adds Date and Server unless switched off (RFC 9110 6.6.1, 10.2.4)", "[server]") {
  ServerOptions options;
  SECTION("as usual") {
    TestServer test(options);
    test.application.on_http = answer_target;
    test.run([&] {
      SocketClient client(test.address);
      client.send(get("/"));
      const std::string& text = client.read_until("GET /");
      CHECK(text.find("\r\nserver: cppasgi\r\n") != std::string::npos);
      CHECK(text.find("\r\ndate: ") != std::string::npos);
      CHECK(text.find(" GMT\r\n") != std::string::npos);
    });
  }
  SECTION("with another name") {
    options.server_header = "other";
    options.date_header = false;
    TestServer test(options);
    test.application.on_http = answer_target;
    test.run([&] {
      SocketClient client(test.address);
      client.send(get("/"));
      CHECK(client.read_until("GET /") ==
            "HTTP/1.1 200 OK\r\nserver: other\r\ncontent-length: 5\r\n\r\nGET /");
    });
  }
}

TEST_CASE("Server: answers pipelined requests in order, at once and later", "[server]") {
  TestServer test;
  const bool later = GENERATE(false, true);
  if (!later) test.application.on_http = answer_target;
  constexpr std::size_t kRequests = 200;
  std::string requests;
  std::string responses;
  for (std::size_t i = 0; i < kRequests; ++i) {
    requests += get("/" + std::to_string(i));
    responses += ok("GET /" + std::to_string(i));
  }
  test.run([&] {
    SocketClient client(test.address);
    client.send(requests);
    if (later) {
      for (std::size_t i = 0; i < kRequests; ++i) {
        test.wait_for([&] { return test.application.http.size() == i + 1; });
        test.in_loop([&] { answer_target(*test.application.http[i]); });
      }
    }
    client.read_bytes(responses.size());
    CHECK((client.take() == responses));
  });
}

TEST_CASE("Server: many connections of one batch are all answered", "[server]") {
  TestServer test;
  constexpr std::size_t kClients = 100;
  test.run([&] {
    std::vector<std::unique_ptr<SocketClient>> clients;
    for (std::size_t i = 0; i < kClients; ++i) {
      clients.push_back(std::make_unique<SocketClient>(test.address));
      clients.back()->send(get("/" + std::to_string(i)));
    }
    CHECK(test.wait_for([&] { return test.application.http.size() == kClients; }));
    test.in_loop([&] {
      for (const auto& call : test.application.http) answer_target(*call);
    });
    for (std::size_t i = 0; i < kClients; ++i) {
      const std::string expected = ok("GET /" + std::to_string(i));
      CHECK(clients[i]->read_bytes(expected.size()) == expected);
    }
    CHECK(test.wait_for([&] { return test.server.connections() == kClients; }));
    for (std::size_t i = 0; i < kClients; i += 3) clients[i]->close_now();
    CHECK(test.wait_for([&] { return test.server.connections() == 66; }));
    for (std::size_t i = 1; i < kClients; i += 3) clients[i]->send(get("/again"));
    CHECK(test.wait_for([&] { return test.application.http.size() == kClients + 33; }));
  });
}

TEST_CASE("Server: a large request and a large response stream through at the slower one's pace",
          "[server]") {
  TestServer test;
  test.application.on_http = echo;
  test.application.on_http_content = echo;
  test.application.on_http_writable = echo;
  std::string content;
  for (int i = 0; content.size() < 20'000'000; ++i) content += std::to_string(i) + ' ';
  test.run([&] {
    SocketClient client(test.address);
    client.send("POST / HTTP/1.0\r\nContent-Length: " + std::to_string(content.size()) +
                "\r\n\r\n");
    std::thread sending([&] { client.send(content); });
    CHECK(test.wait_for([&] {
      if (test.application.http.empty()) return false;
      HttpResponder* responder = test.application.http[0]->responder();
      return responder != nullptr && !responder->poll_writable();
    }));
    const std::string& text = client.read_all();
    sending.join();
    CHECK(client.ended());
    const std::size_t head = text.find("\r\n\r\n") + 4;
    CHECK(text.size() - head == content.size());
    CHECK((text.substr(head) == content));
  });
  CHECK(test.application.http.at(0)->disconnects == 0);
  CHECK(test.application.http.at(0)->writable_calls > 0);
}

TEST_CASE("Server: upgrades to WebSocket and echoes", "[server]") {
  TestServer test;
  test.application.on_websocket = [](WebSocketCall& call) { call.responder()->accept({}, {}); };
  test.application.on_websocket_message = echo_messages;
  test.run([&] {
    SocketClient client(test.address);
    client.send(opening_handshake() + text_frame("eager"));
    const std::string expected = accepted() + server_frame(1, "t:eager");
    CHECK(client.read_bytes(expected.size()) == expected);
    client.take();
    const std::string large(300'000, 'x');
    client.send(text_frame(large));
    const std::string echoed = server_frame(1, "t:" + large);
    client.read_bytes(echoed.size());
    CHECK((client.take() == echoed));
    client.send(close_frame(1000, "done"));
    CHECK(client.read_all() == server_frame(8, close_payload(1000)));
    CHECK(client.ended());
  });
  CHECK(test.application.websockets.at(0)->disconnects == 1);
  CHECK(test.application.websockets.at(0)->close_code == 1000);
  CHECK(test.application.websockets.at(0)->close_reason == "done");
}

TEST_CASE("Server: a broken-off response is a reset for the client (RFC 9112 6.3)", "[server]") {
  TestServer test;
  test.application.on_http = [](HttpCall& call) {
    call.responder()->send_head({200, {}});
    call.responder()->send_content("part", More::Yes);
  };
  test.run([&] {
    SocketClient client(test.address);
    client.send("GET / HTTP/1.0\r\n\r\n");  // its response would end with the connection
    client.read_until("part");
    test.in_loop([&] { test.application.http.at(0)->responder()->fail(); });
    client.read_all();
    CHECK_FALSE(client.ended());
    CHECK(client.error() == ECONNRESET);
  });
}

TEST_CASE(
    "Server: an answer before the request's end reaches a client that sends on (RFC 9112 9.6)",
    "[server]") {
  TestServer test;
  test.application.on_http = answer_target;
  test.run([&] {
    SocketClient client(test.address);
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n");
    client.send(std::string(20'000'000, 'x'));  // read and discarded, all of it
    CHECK(client.error() == 0);
    CHECK(client.read_all().ends_with("connection: close\r\n\r\nPOST /"));
    CHECK(client.ended());
  });
}

TEST_CASE("Server: times out what sends too slowly or nothing", "[server][time]") {
  ServerOptions options = TestServer::bare_options();
  options.timeouts.request_head = 300ms;
  options.timeouts.keep_alive = 300ms;
  TestServer test(options);
  test.application.on_http = answer_target;
  test.run([&] {
    SocketClient silent(test.address);
    SocketClient slow(test.address);
    SocketClient idle(test.address);
    slow.send("GET / HT");
    idle.send(get("/"));
    CHECK(silent.read_all().empty());
    CHECK(silent.ended());
    CHECK(slow.read_all().starts_with("HTTP/1.1 408 "));
    CHECK(slow.ended());
    CHECK(idle.read_all() == ok("GET /"));
    CHECK(idle.ended());
    slow.close_now();
    CHECK(test.wait_for([&] { return test.server.connections() == 0; }));
  });
}

TEST_CASE("Server: listens on several addresses of each kind", "[server]") {
  const SocketPath path;
  net::EventLoop loop;
  TestApplication application;
  application.on_http = answer_target;
  const MemoryFile log;
  {
    Server server(loop, application, TestServer::bare_options(), log.fd());
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
    const std::vector<Address> addresses{server.bind_tcp("127.0.0.1", 0),
                                         server.bind_tcp("127.0.0.1", 0),
                                         server.bind_unix(path.text()), server.adopt(fd)};
    CHECK_FALSE(SocketClient(addresses[0]).connected());  // bound, but not started
    server.start();
    for (const Address& address : addresses) {
      SocketClient client(address);
      client.send(get("/"));
      for (const std::size_t answered = application.http.size();
           application.http.size() == answered;) {
        loop.run_once();
        server.finish_batch();
      }
      CHECK(client.read_bytes(ok("GET /").size()) == ok("GET /"));
      CHECK(application.http.size() == static_cast<std::size_t>(&address - addresses.data()) + 1);
    }
  }
  CHECK(log.text().find("None - - [") != std::string::npos);
}

TEST_CASE("Server: a port that somebody else listens on throws", "[server]") {
  TestServer other;
  TestServer test;
  CHECK_THROWS_AS(test.server.bind_tcp("127.0.0.1", other.address.port), std::system_error);
  CHECK_THROWS_AS(test.server.adopt(-1), std::system_error);
  test.application.on_http = answer_target;
  test.run([&] {  // and what was bound before works on
    SocketClient client(test.address);
    client.send(get("/"));
    CHECK(client.read_until("GET /").ends_with("GET /"));
  });
}

TEST_CASE("Server: where idle connections are few, a new one takes the place of the idlest",
          "[server]") {
  ServerOptions options = TestServer::bare_options();
  options.connections.replace_idle_at = 3;
  TestServer test(options);
  test.run([&] {
    const auto wait_for_connections = [&](std::size_t number) {
      CHECK(test.wait_for([&] { return test.server.connections() == number; }));
    };
    SocketClient busy(test.address);
    busy.send(get("/busy"));
    wait_for_connections(1);
    CHECK(test.wait_for([&] { return test.application.http.size() == 1; }));
    std::this_thread::sleep_for(5ms);
    SocketClient half(test.address);
    half.send("GET / HT");
    wait_for_connections(2);
    std::this_thread::sleep_for(5ms);
    SocketClient silent(test.address);
    wait_for_connections(3);
    std::this_thread::sleep_for(5ms);

    SocketClient first(test.address);
    CHECK(half.read_all().empty());
    CHECK(half.ended());
    SocketClient second(test.address);
    CHECK(silent.read_all().empty());
    CHECK(silent.ended());
    wait_for_connections(3);
    test.in_loop([&] { test.application.http[0]->answer("well"); });
    CHECK(busy.read_bytes(ok("well").size()) == ok("well"));
    // Whoever waits for the application is left alone, even when there is nobody else.
    for (SocketClient* client : {&busy, &first, &second}) client->send(get("/later"));
    CHECK(test.wait_for([&] { return test.application.http.size() == 4; }));
    SocketClient last(test.address);
    last.send(get("/last"));
    CHECK(test.wait_for([&] { return test.application.http.size() == 5; }));
    wait_for_connections(4);
  });
}
