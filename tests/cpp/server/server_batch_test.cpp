// Running a server in batches, as the bridge does: what is put off until finish_batch().
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <thread>

#include "net/net_fixture.h"
#include "server/server.h"
#include "server/test_server.h"
#include "support/catch.h"

using namespace cppasgi;
using namespace cppasgi::test;

namespace {

constexpr auto npos = std::string::npos;
constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

// Has something to read; the server mustn't have closed.
bool has_answer(const SocketClient& client) {
  char byte = 0;
  const ssize_t count = recv(client.fd(), &byte, 1, MSG_DONTWAIT | MSG_PEEK);
  CHECK(count != 0);
  return count == 1;
}

bool loses_all_connections(TestServer& test) {
  return run_until(test.loop, [&test] {
    test.server.finish_batch();
    return test.server.connections() == 0;
  });
}

}  // namespace

TEST_CASE("Server: the batch hook is called when work was put off, once until finish_batch",
          "[server][batch]") {
  TestServer test;
  int calls = 0;
  test.server.set_batch_hook([&calls] { ++calls; });
  test.server.finish_batch();
  CHECK(calls == 0);
  SocketClient first(test.address);
  SocketClient second(test.address);
  first.send(kGet);
  second.send(std::string(kGet) + std::string(kGet));
  CHECK(run_until(test.loop, [&] { return test.application.http.size() == 2; }));
  test.server.finish_batch();
  CHECK(calls == 0);  // nothing to do so far

  // Answered outside of a round of the loop, as a task of asyncio does.
  test.application.http[0]->answer("one");
  CHECK(calls == 1);
  test.application.http[1]->answer("two");
  CHECK(calls == 1);
  test.server.finish_batch();
  CHECK(first.read_until("one").ends_with("one"));
  CHECK(test.application.http.size() == 3);  // the pipelined request was taken in the same batch
  CHECK(test.server.flush_waits());
  for (int i = 0; i < 2; ++i) test.server.end_turn();
  test.server.finish_batch();
  CHECK(second.read_until("two").ends_with("two"));
  CHECK(calls == 1);
  test.server.finish_batch();
  CHECK(calls == 1);

  test.application.http[2]->answer("three");
  CHECK(calls == 2);
  test.server.finish_batch();
  CHECK(second.read_until("three").ends_with("three"));
}

TEST_CASE("Server: a response waits for that to the pipelined request which began behind it",
          "[server][batch]") {
  TestServer test;
  SocketClient client(test.address);
  client.send(std::string(kGet) + std::string(kGet) + std::string(kGet));
  CHECK(run_until(test.loop, [&] { return test.application.http.size() == 1; }));

  SECTION("both leave together") {
    test.application.http[0]->answer("one");
    test.server.finish_batch();
    CHECK(!has_answer(client));
    test.application.http[1]->answer("two");
    test.server.end_turn();
    test.server.finish_batch();
    CHECK(!has_answer(client));
    test.application.http[2]->answer("three");  // the last: nobody waits for more
    test.server.end_turn();
    test.server.finish_batch();
    CHECK(client.read_until("three").find("two") != std::string::npos);
    CHECK(!test.server.flush_waits());
  }

  SECTION("but not until it takes its time") {
    test.application.http[0]->answer("one");
    test.server.finish_batch();
    test.server.end_turn();
    test.server.finish_batch();
    CHECK(!has_answer(client));
    test.server.end_turn();
    test.server.finish_batch();
    CHECK(client.read_until("one").ends_with("one"));
  }

  SECTION("nor for more than fifteen others") {
    for (int i = 0; i < 20; ++i) client.send(kGet);
    test.loop.run_ready();
    std::size_t answered = 0;
    for (; !has_answer(client) && answered < test.application.http.size(); ++answered) {
      test.application.http[answered]->answer("so");
      test.server.end_turn();
      test.server.finish_batch();
    }
    CHECK(answered == 16);
    CHECK(!test.server.flush_waits());
  }

  SECTION("nor when there is much to send") {
    client.send(kGet);
    test.loop.run_ready();
    test.application.http[0]->answer(std::string(15'000, 'x'));
    test.server.finish_batch();
    test.application.http[1]->answer(std::string(15'000, 'x'));
    test.server.finish_batch();
    CHECK(!has_answer(client));
    test.application.http[2]->answer(std::string(15'000, 'x'));
    test.server.finish_batch();
    CHECK(has_answer(client));
  }

  SECTION("a connection that is cut meanwhile is forgotten") {
    test.application.http[0]->answer("one");
    test.server.finish_batch();
    test.application.http[1]->responder()->send_head({200, {}});
    test.application.http[1]->responder()->send_content("part", More::Yes);
    test.application.http[1]->responder()->fail();
    test.server.finish_batch();
    CHECK(client.read_all().find("one") != npos);
    CHECK(client.read_all().find("part") != npos);
    CHECK(test.server.connections() == 0);
    CHECK(!test.server.flush_waits());
    test.server.end_turn();
  }

  SECTION("a connection that ends meanwhile is forgotten") {
    test.application.http[0]->answer("one");
    test.server.finish_batch();
    client.close_now();
    CHECK(loses_all_connections(test));
    CHECK(!test.server.flush_waits());
  }
}

// What it wrote leaves without a release too, as soon as the kernel has room again.
TEST_CASE("Server: a connection that still had something to send when it was held is forgotten",
          "[server][batch]") {
  const SocketPath path;
  TestServer test;
  const Address address = test.server.bind_unix(path.text());
  test.server.start();
  const auto wait_for_call = [&test](std::size_t number) {
    REQUIRE(run_until(test.loop, [&] {
      test.server.finish_batch();
      return test.application.http.size() == number;
    }));
    return test.application.http.back().get();
  };
  // Starts a response and sends pieces of content until as much is unsent as may be.
  const auto fill = [&test](HttpResponder& responder, std::size_t most_pieces) {
    const std::string piece(4096, 'x');
    std::size_t pieces = 0;
    responder.send_head({200, {}});
    for (; pieces < most_pieces && responder.poll_writable(); ++pieces) {
      responder.send_content(piece, More::Yes);
      test.server.finish_batch();
    }
    return pieces;
  };
  std::size_t pieces = 0;
  {
    SocketClient client(address);
    client.send(kGet);
    pieces = fill(*wait_for_call(1)->responder(), SIZE_MAX);
  }

  SocketClient client(address);
  for (int i = 0; i < 4; ++i) client.send(kGet);
  HttpResponder* large = wait_for_call(2)->responder();
  fill(*large, pieces - 4);  // more than the kernel takes, less than may be unsent
  large->send_content("large", More::No);
  const HttpCall* small = wait_for_call(3);
  CHECK(test.server.flush_waits());
  CHECK(run_until(test.loop, [&] { return client.read_waiting().find("large") != npos; }));
  for (std::size_t number = 4; number <= 5; ++number) {
    small->answer("small");
    small = wait_for_call(number);
    test.server.end_turn();
  }

  client.close_now();
  CHECK(loses_all_connections(test));
  CHECK(!test.server.flush_waits());
  test.server.end_turn();
}

TEST_CASE("Server: a request that came with its connection is served in the round that accepts it",
          "[server][batch]") {
  TestServer test;
  test.application.on_http = [](HttpCall& call) { call.answer("at once"); };
  test.loop.run_pending();
  SocketClient client(test.address);
  client.send("GET / HTTP/1.0\r\n\r\n");
  test.loop.run_ready();
  test.server.finish_batch();
  CHECK(test.server.connections() == 0);
  CHECK(client.read_all().ends_with("at once"));
}

TEST_CASE("Server: responses of one batch leave at its end", "[server][batch]") {
  TestServer test;
  test.application.on_http = [](HttpCall& call) { call.answer("now"); };
  SocketClient client(test.address);
  client.send(kGet);
  CHECK(run_until(test.loop, [&] { return test.application.http.size() == 1; }));
  CHECK(!has_answer(client));
  test.server.finish_batch();
  CHECK(client.read_until("now").ends_with("now"));
}

TEST_CASE("Server: a response isn't held back for longer than others take", "[server][batch]") {
  TestServer test;
  std::deque<SocketClient> clients;
  const auto answered = [&] { return std::ranges::count_if(clients, has_answer); };
  const auto ask = [&](std::size_t count) {
    while (clients.size() < count) clients.emplace_back(test.address).send(kGet);
    CHECK(run_until(test.loop, [&] { return test.application.http.size() == count; }));
  };

  SECTION("by number") {
    ask(70);
    for (const auto& call : test.application.http) call->answer("one of many");
    CHECK(answered() > 0);
  }

  SECTION("by time") {
    ask(3);
    test.application.http[0]->answer("early");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    CHECK(answered() == 0);
    test.application.http[1]->answer("late");
    CHECK(answered() == 2);
  }
}

TEST_CASE("Server: calls once at the end of the batch in which so many requests are answered",
          "[server][batch]") {
  TestServer test;
  int calls = 0;
  test.server.call_after(3, [&calls] { ++calls; });
  SocketClient client(test.address);
  for (std::size_t requests = 1; requests <= 5; ++requests) {
    client.send(kGet);
    CHECK(run_until(test.loop, [&] { return test.application.http.size() == requests; }));
    test.application.http.back()->answer("done");
    CHECK(calls == (requests > 3 ? 1 : 0));
    test.server.finish_batch();
    CHECK(calls == (requests >= 3 ? 1 : 0));
  }
}
