// Draining, aborting, disowning and destroying a server with work in progress.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "net/net_fixture.h"
#include "server/server.h"
#include "server/test_server.h"
#include "support/catch.h"
#include "support/websocket_client.h"
#include "support/websocket_frames.h"

using namespace cppasgi;
using namespace cppasgi::test;

namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

// Among the first descriptors of this process.
int count_sockets() {
  int count = 0;
  struct stat file{};
  for (int fd = 0; fd < 100; ++fd) count += fstat(fd, &file) == 0 && S_ISSOCK(file.st_mode) ? 1 : 0;
  return count;
}

void open_websocket(WebSocketCall& call) { call.responder()->accept({}, {}); }

}  // namespace

TEST_CASE("Server: drain ends idle connections, lets requests finish and closes WebSockets",
          "[server][drain]") {
  TestServer test;
  test.application.on_websocket = open_websocket;
  test.run([&] {
    SocketClient idle(test.address);
    SocketClient waiting(test.address);
    SocketClient websocket(test.address);
    idle.send(kGet);
    CHECK(test.wait_for([&] { return test.application.http.size() == 1; }));
    test.in_loop([&] { test.application.http[0]->answer("idle"); });
    idle.read_until("idle");
    waiting.send(kGet);
    websocket.send(opening_handshake());
    CHECK(test.wait_for([&] { return test.application.http.size() == 2; }));
    CHECK(websocket.read_until("\r\n\r\n") == accepted());
    websocket.take();

    test.in_loop([&] { test.server.drain(); });
    test.in_loop([&] { CHECK(test.server.draining()); });
    CHECK_FALSE(SocketClient(test.address).connected());
    idle.take();
    CHECK(idle.read_all().empty());
    CHECK(idle.ended());
    const std::string going = server_frame(8, close_payload(1001, "Server is shutting down"));
    CHECK(websocket.read_bytes(going.size()) == going);
    websocket.send(close_frame(1001));
    websocket.read_all();
    CHECK(websocket.ended());
    websocket.close_now();
    CHECK(test.wait_for([&] { return test.server.connections() == 1; }));

    test.in_loop([&] { test.application.http[1]->answer("finished"); });
    CHECK(waiting.read_all().ends_with("connection: close\r\n\r\nfinished"));
    CHECK(waiting.ended());
    CHECK(test.wait_for([&] { return test.server.connections() == 0; }));
  });
  CHECK(test.application.http[1]->disconnects == 0);
  CHECK(test.application.websockets.at(0)->close_code == 1001);
}

TEST_CASE("Server: draining closes WebSockets one after another, over the window",
          "[server][drain]") {
  TestServer test;
  test.application.on_websocket = open_websocket;
  test.run([&] {
    std::vector<std::unique_ptr<SocketClient>> clients;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(std::make_unique<SocketClient>(test.address));
      clients.back()->send(opening_handshake());
      CHECK(clients.back()->read_until("\r\n\r\n") == accepted());
      clients.back()->take();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto begun = std::chrono::steady_clock::now();
    test.in_loop(
        [&] { test.server.drain(ShutdownReason::Restart, std::chrono::milliseconds(400)); });
    const std::string going = server_frame(8, close_payload(1012, "Server is restarting"));
    for (int i = 0; i < 4; ++i) {
      CHECK(clients[static_cast<std::size_t>(i)]->read_bytes(going.size()) == going);
      const auto over = std::chrono::steady_clock::now() - begun;
      CHECK(over >= std::chrono::milliseconds(100 * i - 20));
      CHECK(over < std::chrono::milliseconds(100 * i + 1000));
    }
    clients.clear();
    CHECK(test.wait_for([&] { return test.server.connections() == 0; }));
  });
}

TEST_CASE("Server: draining serves who has connected but wasn't accepted yet", "[server][drain]") {
  TestServer test;
  test.application.on_http = [](HttpCall& call) { call.answer("late"); };
  test.run([&] {
    std::unique_ptr<SocketClient> late;
    test.in_loop([&] {
      late = std::make_unique<SocketClient>(test.address);
      late->send(kGet);
      test.server.drain();
    });
    CHECK(late->read_all().ends_with("connection: close\r\n\r\nlate"));
  });
}

TEST_CASE("Server: draining doesn't wait for connections that never sent a request",
          "[server][drain]") {
  TestServer test;
  test.run([&] {
    SocketClient silent(test.address);
    CHECK(test.wait_for([&] { return test.server.connections() == 1; }));
    test.in_loop([&] { test.server.drain(); });
    CHECK(silent.read_all().empty());
    CHECK(silent.ended());
  });
}

TEST_CASE("Server: abort drops every connection, and every handler hears of it",
          "[server][abort]") {
  TestServer test;
  test.application.on_websocket = open_websocket;
  const bool drained = GENERATE(false, true);
  test.run([&] {
    SocketClient idle(test.address);
    SocketClient waiting(test.address);
    SocketClient websocket(test.address);
    waiting.send(kGet);
    websocket.send(opening_handshake());
    websocket.read_until("\r\n\r\n");
    CHECK(test.wait_for(
        [&] { return test.server.connections() == 3 && test.application.http.size() == 1; }));
    if (drained) test.in_loop([&] { test.server.drain(); });
    test.in_loop([&] { test.server.abort(); });
    test.in_loop([&] { CHECK(test.server.connections() == 0); });
    idle.read_all();
    CHECK(idle.ended());
    waiting.read_all();
    CHECK(waiting.error() == ECONNRESET);
    websocket.read_all();
    CHECK(websocket.error() != ETIMEDOUT);
    CHECK_FALSE(SocketClient(test.address).connected());
  });
  CHECK(test.application.http.at(0)->disconnects == 1);
  CHECK(test.application.http.at(0)->responder() == nullptr);
  CHECK(test.application.websockets.at(0)->disconnects == 1);
  CHECK(test.application.websockets.at(0)->close_code == 1006);
  test.server.abort();
  test.server.finish_batch();
}

TEST_CASE("Server: destroyed, it drops its connections and tells their handlers",
          "[server][abort]") {
  net::EventLoop loop;
  TestApplication application;
  auto server = std::make_unique<Server>(loop, application, TestServer::bare_options());
  const Address address = server->bind_tcp("127.0.0.1", 0);
  server->start();
  SocketClient client(address);
  client.send(kGet);
  while (application.http.empty()) loop.run_once();
  const bool answered = GENERATE(false, true);
  if (answered) application.http[0]->answer("never written");  // the batch isn't finished
  server.reset();
  CHECK(application.http[0]->disconnects == (answered ? 0 : 1));
  loop.run_pending();
  client.read_all();
  CHECK(client.error() != ETIMEDOUT);
}

TEST_CASE("Server: a forked child lets go of it, and the parent notices nothing",
          "[server][fork]") {
  const test::SocketPath path;
  TestServer test;
  test.application.on_websocket = open_websocket;
  const Address unix_address = test.server.bind_unix(path.text());
  test.server.start();
  // What the child does with its copy of the server; 0 if that is well.
  const auto in_child = [&test] {
    const int sockets = count_sockets();
    test.server.disown();
    test.loop.disown();
    if (test.application.http[0]->responder() != nullptr) return 1;
    if (test.application.websockets[0]->responder() != nullptr) return 2;
    if (test.server.connections() != 0) return 3;
    if (count_sockets() != sockets - 4) return 4;  // two that listen, two connections
    test.server.finish_batch();
    test.server.drain();
    test.server.abort();
    test.loop.run_pending();
    return 0;
  };
  test.run([&] {
    SocketClient websocket(test.address);
    websocket.send(opening_handshake());
    CHECK(websocket.read_until("\r\n\r\n") == accepted());
    websocket.take();
    SocketClient waiting(test.address);
    waiting.send(kGet);
    CHECK(test.wait_for([&] { return test.application.http.size() == 1; }));
    pid_t child = -1;
    test.in_loop([&] {
      child = fork();
      if (child == 0) _exit(in_child());
    });
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(status == 0);

    test.in_loop([&] { test.application.http[0]->answer("late"); });
    CHECK(waiting.read_until("late").starts_with("HTTP/1.1 200"));
    for (const Address& address : {test.address, unix_address}) {
      SocketClient later(address);
      const std::size_t number = test.application.http.size() + 1;
      later.send(kGet);
      CHECK(test.wait_for([&] { return test.application.http.size() == number; }));
      test.in_loop([&] { test.application.http.back()->answer("new"); });
      CHECK(later.read_until("new").starts_with("HTTP/1.1 200"));
    }
    websocket.send(ping_frame("still"));
    CHECK(websocket.read_bytes(7).ends_with("still"));
  });
}
