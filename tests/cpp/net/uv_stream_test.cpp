// Reading, writing and ending of streams on real sockets.
#include "server/net/uv_stream.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <linux/tcp.h>
#include <memory>
#include <string>
#include <thread>

#include "net/net_fixture.h"
#include "net/stream_pair.h"
#include "server/net/uv_listener.h"
#include "support/catch.h"
#include "support/socket_client.h"

using namespace cppasgi;
using namespace cppasgi::net;
using namespace cppasgi::test;

namespace {

std::uint32_t packets_received(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  REQUIRE(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  return info.tcpi_segs_in;
}

}  // namespace

TEST_CASE("UvStream: reads what comes, then the end", "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  pair.client->send("one");
  CHECK(run_until(pair.loop, [&] { return pair.recorder.read == "one"; }));
  pair.client->send("two");
  CHECK(run_until(pair.loop, [&] { return pair.recorder.read == "onetwo"; }));
  CHECK(pair.recorder.ends == 0);
  pair.client->end();
  CHECK(run_until(pair.loop, [&] { return pair.recorder.ends == 1; }));
  pair.write("after the end");  // the other direction is open yet
  CHECK(pair.client->read_bytes(13) == "after the end");
  CHECK_FALSE(pair.recorder.error);
}

TEST_CASE("UvStream: read_waiting passes on what has come, and leaves an end to the loop",
          "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  pair.stream->read_waiting();
  CHECK(pair.recorder.read.empty());
  pair.client->send("first");
  pair.stream->read_waiting();
  CHECK(pair.recorder.read == "first");
  pair.client->end();
  pair.stream->read_waiting();
  CHECK(pair.recorder.ends == 0);
  CHECK(run_until(pair.loop, [&] { return pair.recorder.ends == 1; }));
  CHECK(pair.recorder.read == "first");
}

TEST_CASE("UvStream: stop_reading leaves bytes with the kernel until start_reading",
          "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  pair.stream->stop_reading();
  pair.client->send("waits");
  Timer moment(pair.loop, [] {});
  moment.start(std::chrono::milliseconds(20));
  pair.loop.run_once();
  CHECK(pair.recorder.read.empty());
  pair.stream->start_reading(pair.recorder);
  CHECK(run_until(pair.loop, [&] { return pair.recorder.read == "waits"; }));
}

TEST_CASE("UvStream: bytes that wait after stop_reading keep the loop from sleeping once at most",
          "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  pair.stream->stop_reading();
  pair.client->send("waits");
  bool over = false;
  Timer moment(pair.loop, [&] { over = true; });
  moment.start(std::chrono::milliseconds(20));
  int turns = 0;
  while (!over) {
    pair.loop.run_once();
    ++turns;
  }
  CHECK(turns <= 2);
}

TEST_CASE("UvStream: stop_reading holds in the turn of a read that filled its bound",
          "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  pair.stream->bound_reads(4);
  pair.recorder.after_read = [&] { pair.stream->stop_reading(); };
  pair.client->send("onetwothree");
  for (const std::string_view read : {"onet", "onetwoth", "onetwothree"}) {
    CHECK(run_until(pair.loop, [&] { return !pair.recorder.read.empty(); }));
    for (int i = 0; i < 3; ++i) pair.loop.run_pending();
    CHECK(pair.recorder.read == read);
    pair.stream->start_reading(pair.recorder);
    pair.loop.run_pending();
  }
}

TEST_CASE("UvStream: a small write leaves at once, without on_written", "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  pair.write("hello");
  CHECK(pair.stream->queued_bytes() == 0);
  CHECK(pair.client->read_bytes(5) == "hello");
  pair.loop.run_pending();
  CHECK(pair.recorder.written == 0);
}

TEST_CASE("UvStream: a tail follows the buffer, whatever the kernel takes of them",
          "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  const std::size_t head_size = GENERATE(0U, 3U, 20'000'000U);
  OutputBuffer buffer;
  buffer.append(std::string_view(kLarge).substr(0, head_size));
  pair.stream->write(buffer, kLarge);
  CHECK(buffer.empty());
  CHECK(pair.stream->queued_bytes() > 0);
  pair.stream->write(buffer, "waits");
  CHECK(buffer.view() == "waits");
  const std::size_t size = head_size + kLarge.size();
  std::thread reading([&] { pair.client->read_bytes(size); });
  const bool written = run_until(pair.loop, [&] { return pair.recorder.written == 1; });
  reading.join();
  CHECK(written);
  CHECK((pair.client->take() == std::string(size, 'x')));
  pair.stream->write(buffer, "more");
  CHECK(pair.client->read_bytes(9) == "waitsmore");
}

TEST_CASE("UvStream: a write larger than the socket's buffer is queued, then on_written",
          "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  pair.write(kLarge);
  const std::size_t queued = pair.stream->queued_bytes();
  CHECK(queued > 0);
  CHECK(queued < kLarge.size());
  OutputBuffer next;
  next.append("tail");
  pair.stream->write(next);  // the buffer is left alone meanwhile
  CHECK(next.view() == "tail");

  std::thread reading([&] { pair.client->read_bytes(kLarge.size()); });
  std::size_t smallest = queued;
  const bool less_by_and_by = run_until(pair.loop, [&] {
    const std::size_t now = pair.stream->queued_bytes();
    if (now != 0) smallest = std::min(smallest, now);
    return pair.recorder.written == 1;
  });
  reading.join();
  CHECK(less_by_and_by);
  CHECK(smallest < queued);  // the queue shows how much the peer has read
  CHECK(pair.stream->queued_bytes() == 0);
  CHECK((pair.client->take() == kLarge));
  pair.stream->write(next);
  CHECK(pair.client->read_bytes(4) == "tail");
}

TEST_CASE("UvStream: end lets the peer read the last bytes and an end, and is still read",
          "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  OutputBuffer buffer;
  buffer.append("last");
  pair.stream->end(buffer);
  CHECK(pair.client->read_all() == "last");
  CHECK(pair.client->ended());
  pair.client->send("answer");
  CHECK(run_until(pair.loop, [&] { return pair.recorder.read == "answer"; }));
  pair.client->close_now();
  CHECK(run_until(pair.loop, [&] { return pair.recorder.ends == 1; }));
}

TEST_CASE("UvStream: end sends the last bytes and the end in one packet", "[net][stream]") {
  StreamPair pair(Kind::Tcp);
  const std::uint32_t before = packets_received(pair.client->fd());
  OutputBuffer buffer;
  buffer.append("last");
  pair.stream->end(buffer);
  CHECK(pair.client->read_all() == "last");
  CHECK(packets_received(pair.client->fd()) == before + 1);
}

TEST_CASE("UvStream: closed after end with input unread, the last bytes arrive", "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  pair.client->send("unread");
  OutputBuffer buffer;
  buffer.append("last");
  pair.stream->end(buffer);
  pair.stream.reset();
  CHECK(pair.client->read_bytes(4) == "last");
}

TEST_CASE("UvStream: end waits for what is queued, and is called again", "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  OutputBuffer buffer;
  buffer.append(kLarge);
  pair.stream->end(buffer);
  std::thread reading([&] { pair.client->read_all(); });
  CHECK(run_until(pair.loop, [&] { return pair.recorder.written == 1; }));
  pair.stream->end(buffer);
  reading.join();
  CHECK(pair.client->ended());
  CHECK((pair.client->take() == kLarge));
}

TEST_CASE("UvStream: destroyed in an orderly way, the peer reads an end", "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  pair.write("bye");
  pair.stream.reset();
  pair.loop.run_pending();
  CHECK(pair.client->read_all() == "bye");
  CHECK(pair.client->ended());
  CHECK(pair.recorder.ends == 0);
}

TEST_CASE("UvStream: after reset_on_close the peer's connection is reset", "[net][stream]") {
  StreamPair pair(Kind::Tcp);
  pair.write("part");
  CHECK(pair.client->read_bytes(4) == "part");
  pair.stream->reset_on_close();
  pair.stream.reset();
  pair.loop.run_pending();
  pair.client->read_all();
  CHECK_FALSE(pair.client->ended());
  CHECK(pair.client->error() == ECONNRESET);
}

TEST_CASE("UvStream: reset_on_close of a Unix stream is an orderly end", "[net][stream]") {
  StreamPair pair(Kind::Unix);
  pair.stream->reset_on_close();
  pair.stream.reset();
  pair.loop.run_pending();
  CHECK(pair.client->read_all().empty());
  CHECK(pair.client->ended());
}

TEST_CASE("UvStream: a peer that resets is an error, once", "[net][stream]") {
  StreamPair pair(Kind::Tcp);
  const linger now{1, 0};
  setsockopt(pair.client->fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  pair.client->close_now();
  CHECK(run_until(pair.loop, [&] { return pair.recorder.error.has_value(); }));
  CHECK(*pair.recorder.error == std::errc::connection_reset);
  CHECK(pair.recorder.ends == 0);
  pair.recorder.error.reset();
  pair.loop.run_pending();
  CHECK_FALSE(pair.recorder.error);
}

TEST_CASE("UvStream: a write to a peer that is gone is reported from the loop", "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  pair.stream->stop_reading();
  const linger now{1, 0};
  setsockopt(pair.client->fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  pair.client->close_now();
  pair.loop.run_pending();
  OutputBuffer buffer;
  buffer.append("anybody?");
  pair.stream->write(buffer);
  CHECK_FALSE(pair.recorder.error);  // not inside the call
  CHECK(run_until(pair.loop, [&] { return pair.recorder.error.has_value(); }));
  CHECK(pair.recorder.written == 0);
}

TEST_CASE("UvStream: destroyed with a write queued, it tells nobody", "[net][stream]") {
  StreamPair pair(GENERATE(Kind::Tcp, Kind::Unix));
  pair.write(kLarge);
  pair.stream.reset();
  pair.loop.run_pending();
  CHECK(pair.recorder.written == 0);
  CHECK_FALSE(pair.recorder.error);
}

TEST_CASE("UvStream: never started to read, it can be written to and destroyed", "[net][stream]") {
  EventLoop loop;
  const auto listener = UvListener::bind_tcp(loop, "127.0.0.1", 0);
  int accepted = 0;
  listener->listen(8, [&accepted](std::unique_ptr<Stream> stream) {
    ++accepted;
    OutputBuffer buffer;
    buffer.append(kLarge);
    stream->write(buffer);
  });
  SocketClient client(listener->address());
  CHECK(run_until(loop, [&] { return accepted == 1; }));
  loop.run_pending();
  client.read_all();
  CHECK(client.error() != ETIMEDOUT);
}
