// Timers, the loop by itself and embedded in another one.
#include "server/net/event_loop.h"

#include <chrono>
#include <memory>
#include <poll.h>
#include <thread>
#include <vector>

#include "net/net_fixture.h"
#include "server/net/uv_listener.h"
#include "support/catch.h"
#include "support/socket_client.h"

using namespace cppasgi;
using namespace cppasgi::net;
using namespace cppasgi::test;

namespace {

using namespace std::chrono_literals;

}  // namespace

TEST_CASE("Timer: fires once, not before its time", "[net][timer]") {
  EventLoop loop;
  int fired = 0;
  Timer timer(loop, [&fired] { ++fired; });
  loop.run_pending();
  const auto begin = std::chrono::steady_clock::now();
  timer.start(30ms);
  CHECK(run_until(loop, [&] { return fired != 0; }));
  CHECK(std::chrono::steady_clock::now() - begin >= 29ms);  // libuv rounds to its cached time
  Timer other(loop, [] {});
  other.start(30ms);
  loop.run_once();
  CHECK(fired == 1);
}

TEST_CASE("Timer: starting again replaces the first time, in its callback too", "[net][timer]") {
  EventLoop loop;
  std::vector<int> order;
  Timer late(loop, [&] { order.push_back(2); });
  late.start(1ms);
  late.start(500ms);
  Timer early(loop, [&] {
    order.push_back(1);
    if (order.size() < 3) early.start(1ms);
  });
  early.start(5ms);
  CHECK(run_until(loop, [&] { return order.size() == 4; }));
  CHECK(order == std::vector<int>{1, 1, 1, 2});
}

TEST_CASE("Timer: one that is due already isn't kept waiting by a later one", "[net][timer]") {
  EventLoop loop;
  bool fired = false;
  Timer due(loop, [&fired] { fired = true; });
  Timer later(loop, [] {});
  due.start(1ms);
  later.start(5s);
  std::this_thread::sleep_for(20ms);
  const auto begun = std::chrono::steady_clock::now();
  loop.run_once();
  CHECK(fired);
  CHECK(std::chrono::steady_clock::now() - begun < 4s);
}

TEST_CASE("Timer: stopped or destroyed, it doesn't fire", "[net][timer]") {
  EventLoop loop;
  int fired = 0;
  Timer stopped(loop, [&fired] { ++fired; });
  auto destroyed = std::make_unique<Timer>(loop, [&fired] { ++fired; });
  stopped.start(1ms);
  destroyed->start(1ms);
  stopped.stop();
  destroyed.reset();
  bool over = false;
  Timer end(loop, [&over] { over = true; });
  end.start(20ms);
  CHECK(run_until(loop, [&] { return over; }));
  CHECK(fired == 0);
}

TEST_CASE("Timer: fires when what has arrived by then was read", "[net][timer]") {
  EventLoop loop;
  Recorder recorder;
  std::unique_ptr<Stream> stream;
  auto listener = UvListener::bind_tcp(loop, "127.0.0.1", 0);
  listener->listen(1, [&](std::unique_ptr<Stream> accepted) {
    stream = std::move(accepted);
    stream->start_reading(recorder);
  });
  SocketClient client(listener->address());
  CHECK(run_until(loop, [&] { return stream != nullptr; }));
  loop.run_pending();
  std::string read = "not fired";
  Timer timer(loop, [&] { read = recorder.read; });
  Timer* unwanted = nullptr;
  recorder.after_read = [&] { unwanted->stop(); };
  bool fired = false;
  Timer stopped(loop, [&fired] { fired = true; });
  unwanted = &stopped;
  timer.start(1ms);
  stopped.start(1ms);
  client.send("in time");
  std::this_thread::sleep_for(20ms);  // the loop is busy
  loop.run_ready();
  CHECK(read == "in time");
  CHECK_FALSE(fired);
}

TEST_CASE("EventLoop: embedded in another loop it tells that when it is due", "[net][loop]") {
  EventLoop loop;
  CHECK(loop.touched());  // it has never run
  loop.run_pending();
  CHECK_FALSE(loop.touched());
  CHECK_FALSE(loop.next_due().has_value());
  int touches = 0;
  loop.set_on_touched([&touches] { ++touches; });

  Timer timer(loop, [] {});
  timer.start(10s);
  CHECK(loop.touched());
  CHECK(touches == 1);
  timer.start(10s);
  CHECK(touches == 1);  // the first time only
  loop.run_pending();
  CHECK_FALSE(loop.touched());
  REQUIRE(loop.next_due().has_value());
  CHECK(*loop.next_due() > loop.now() + 5s);
  CHECK(*loop.next_due() <= loop.now() + 10s);

  // A connection makes the descriptor readable.
  auto listener = UvListener::bind_tcp(loop, "127.0.0.1", 0);
  int accepted = 0;
  listener->listen(1, [&accepted](std::unique_ptr<Stream>) { ++accepted; });
  CHECK(loop.touched());
  loop.run_pending();
  pollfd host{loop.backend_fd(), POLLIN, 0};
  CHECK(poll(&host, 1, 0) == 0);
  const SocketClient client(listener->address());
  CHECK(poll(&host, 1, 10'000) == 1);
  loop.run_pending();
  CHECK(accepted == 1);
  CHECK(poll(&host, 1, 0) == 0);
}

TEST_CASE("Timer: counts from its start, however long libuv hasn't run", "[net][timer]") {
  EventLoop loop;
  bool fired = false;
  Timer timer(loop, [&fired] { fired = true; });
  loop.run_pending();
  std::this_thread::sleep_for(60ms);
  timer.start(50ms);
  loop.run_ready();
  CHECK_FALSE(fired);
  CHECK(run_until(loop, [&] { return fired; }));
}

TEST_CASE("EventLoop: next_due() stays, however late it is asked for", "[net][loop]") {
  EventLoop loop;
  Timer timer(loop, [] {});
  timer.start(1h);
  loop.run_pending();
  const auto due = loop.next_due();
  std::this_thread::sleep_for(20ms);
  CHECK(loop.next_due() == due);
  CHECK(due <= loop.now() + 1h - 19ms);
}

TEST_CASE("EventLoop: now() is the time, and stands still where it is asked to", "[net][loop]") {
  EventLoop loop;
  const auto before = loop.now();
  std::this_thread::sleep_for(20ms);
  CHECK(loop.now() >= before + 19ms);
  {
    const EventLoop::Standstill standstill(loop);
    const auto began = loop.now();
    std::this_thread::sleep_for(20ms);
    CHECK(loop.now() == began);
    {
      const EventLoop::Standstill inner(loop);
      CHECK(loop.now() == began);
    }
    CHECK(loop.now() == began);
    CHECK(began >= before + 19ms);
  }
  CHECK(loop.now() >= before + 38ms);
}

TEST_CASE("EventLoop: now() stands still while a round is dispatched, and no longer",
          "[net][loop]") {
  EventLoop loop;
  const auto before = loop.now();
  std::chrono::milliseconds fired{0};
  bool stood = false;
  Timer timer(loop, [&] {
    fired = loop.now();
    std::this_thread::sleep_for(20ms);
    stood = loop.now() == fired;
  });
  timer.start(20ms);
  CHECK(run_until(loop, [&] { return fired.count() != 0; }));
  CHECK(fired >= before + 20ms);
  CHECK(stood);
  CHECK(loop.now() >= fired + 19ms);
}

TEST_CASE("EventLoop: everything destroyed before it is freed with it", "[net][loop]") {
  Recorder recorder;
  EventLoop loop;
  std::vector<std::unique_ptr<Stream>> streams;
  auto listener = UvListener::bind_tcp(loop, "127.0.0.1", 0);
  listener->listen(10, [&](std::unique_ptr<Stream> stream) {
    stream->start_reading(recorder);
    streams.push_back(std::move(stream));
  });
  const SocketClient first(listener->address());
  const SocketClient second(listener->address());
  CHECK(run_until(loop, [&] { return streams.size() == 2; }));
  Timer timer(loop, [] {});
  timer.start(1h);
  // A stream with a queued write, and one that has ended.
  OutputBuffer buffer;
  buffer.append(std::string(50'000'000, 'x'));
  streams[0]->write(buffer);
  CHECK(streams[0]->queued_bytes() > 0);
  streams[1]->end(buffer);
  streams.clear();
  listener.reset();
  CHECK(recorder.ends == 0);
}
