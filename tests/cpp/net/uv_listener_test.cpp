// Binding and accepting on TCP, Unix sockets and inherited descriptors.
#include "server/net/uv_listener.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "net/net_fixture.h"
#include "support/catch.h"
#include "support/socket_client.h"

using namespace cppasgi;
using namespace cppasgi::net;
using namespace cppasgi::test;

namespace {

// The error that `function` throws; none when it doesn't.
template <typename Function>
std::error_code error_of(Function&& function) {
  try {
    function();
  } catch (const std::system_error& error) {
    return error.code();
  }
  return {};
}

bool has_ipv6() {
  const int fd = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return bound;
}

// Accepts one connection of a client and has both say something.
void check_talk(EventLoop& loop, UvListener& listener, const Address& address) {
  std::unique_ptr<Stream> stream;
  listener.listen(8, [&stream](std::unique_ptr<Stream> accepted) { stream = std::move(accepted); });
  SocketClient client(address);
  REQUIRE(client.connected());
  REQUIRE(run_until(loop, [&] { return stream != nullptr; }));
  Recorder recorder;
  stream->start_reading(recorder);
  client.send("hello");
  CHECK(run_until(loop, [&] { return recorder.read == "hello"; }));
  OutputBuffer buffer;
  buffer.append("welcome");
  stream->write(buffer);
  CHECK(buffer.empty());
  CHECK(client.read_bytes(7) == "welcome");
  CHECK(stream->local() == address);
  CHECK(stream->peer().family == address.family);
  if (address.family == Address::Family::Tcp) {
    CHECK(stream->peer().host == address.host);
    CHECK(stream->peer().port != 0);
  } else {
    CHECK(stream->peer() == Address{Address::Family::Unix, "", 0});
  }
}

}  // namespace

TEST_CASE("UvListener: port 0 takes a free one", "[net][listener]") {
  EventLoop loop;
  const auto first = UvListener::bind_tcp(loop, "127.0.0.1", 0);
  const auto second = UvListener::bind_tcp(loop, "127.0.0.1", 0);
  CHECK(first->address().host == "127.0.0.1");
  CHECK(first->address().family == Address::Family::Tcp);
  CHECK(first->address().port != 0);
  CHECK(first->address().port != second->address().port);
  check_talk(loop, *first, first->address());
}

TEST_CASE("UvListener: a host may be a name", "[net][listener]") {
  EventLoop loop;
  const auto listener = UvListener::bind_tcp(loop, "localhost", 0);
  const std::string host = listener->address().host;
  CHECK((host == "127.0.0.1" || host == "::1"));
  check_talk(loop, *listener, listener->address());
}

TEST_CASE("UvListener: IPv6 addresses come without brackets", "[net][listener]") {
  if (!has_ipv6()) {
    WARN("no IPv6 here: not tested");
    return;
  }
  EventLoop loop;
  const auto listener = UvListener::bind_tcp(loop, "::1", 0);
  CHECK(listener->address().host == "::1");
  check_talk(loop, *listener, listener->address());
}

TEST_CASE("UvListener: on all addresses, a connection's own is the one the client asked for",
          "[net][listener]") {
  EventLoop loop;
  const auto listener = UvListener::bind_tcp(loop, "0.0.0.0", 0);
  check_talk(loop, *listener, {Address::Family::Tcp, "127.0.0.1", listener->address().port});
}

TEST_CASE("UvListener: nothing is accepted before listen", "[net][listener]") {
  EventLoop loop;
  const auto listener = UvListener::bind_tcp(loop, "127.0.0.1", 0);
  CHECK_FALSE(SocketClient(listener->address()).connected());
}

TEST_CASE("UvListener: who waits can be accepted at once", "[net][listener]") {
  EventLoop loop;
  const auto listener = UvListener::bind_tcp(loop, "127.0.0.1", 0);
  std::vector<std::unique_ptr<Stream>> streams;
  listener->accept_waiting();  // doesn't listen yet
  listener->listen(8,
                   [&](std::unique_ptr<Stream> stream) { streams.push_back(std::move(stream)); });
  listener->accept_waiting();
  CHECK(streams.empty());
  SocketClient first(listener->address());
  SocketClient second(listener->address());
  listener->accept_waiting();
  REQUIRE(streams.size() == 2);
  OutputBuffer buffer;
  buffer.append("welcome");
  streams[1]->write(buffer);
  CHECK(second.read_bytes(7) == "welcome");
  CHECK(streams[0]->local() == listener->address());
}

TEST_CASE("UvListener: who resets before being accepted has an address, and what it sent is read",
          "[net][listener]") {
  EventLoop loop;
  const auto listener = UvListener::bind_tcp(loop, "127.0.0.1", 0);
  std::unique_ptr<Stream> stream;
  listener->listen(8, [&](std::unique_ptr<Stream> accepted) { stream = std::move(accepted); });
  SocketClient client(listener->address());
  const std::uint16_t port = client.port();
  client.send("hello");
  client.reset();
  REQUIRE(run_until(loop, [&] { return stream != nullptr; }));
  CHECK(stream->peer() == Address{Address::Family::Tcp, "127.0.0.1", port});
  CHECK(stream->local() == listener->address());
  Recorder recorder;
  stream->start_reading(recorder);
  CHECK(run_until(loop, [&] { return recorder.read == "hello"; }));
}

TEST_CASE("UvListener: a taken port throws at bind", "[net][listener]") {
  EventLoop loop;
  const auto first = UvListener::bind_tcp(loop, "127.0.0.1", 0);
  first->listen(8, [](std::unique_ptr<Stream>) {});
  const std::uint16_t port = first->address().port;
  CHECK(error_of([&] { UvListener::bind_tcp(loop, "127.0.0.1", port); }) ==
        std::errc::address_in_use);
  loop.run_pending();  // the half-made listener is gone
}

TEST_CASE("UvListener: what can't be bound throws", "[net][listener]") {
  EventLoop loop;
  CHECK(error_of([&] { UvListener::bind_tcp(loop, "192.0.2.1", 0); }) ==
        std::errc::address_not_available);
  const std::error_code unknown =
      error_of([&] { UvListener::bind_tcp(loop, "not a host name", 0); });
  CHECK(unknown);
  CHECK(std::string(unknown.category().name()) == "uv");
  CHECK_FALSE(unknown.message().empty());
  CHECK(error_of([&] { UvListener::bind_unix(loop, "/no/such/folder/socket"); }));
  CHECK(error_of([&] { UvListener::bind_unix(loop, "/tmp/" + std::string(500, 'a')); }) ==
        std::errc::filename_too_long);
}

TEST_CASE("UvListener: a Unix socket appears with bind and goes with the listener",
          "[net][listener]") {
  const SocketPath path;
  {
    EventLoop loop;
    const auto listener = UvListener::bind_unix(loop, path.text());
    CHECK(listener->address() == Address{Address::Family::Unix, path.text(), 0});
    check_talk(loop, *listener, listener->address());
    CHECK(error_of([&] { UvListener::bind_unix(loop, path.text()); }) == std::errc::address_in_use);
    CHECK(access(path.text().c_str(), F_OK) == 0);
  }
  CHECK(access(path.text().c_str(), F_OK) != 0);
}

TEST_CASE("UvListener: adopts an inherited TCP socket", "[net][listener]") {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const bool listening = GENERATE(true, false);
  if (listening) REQUIRE(listen(fd, 8) == 0);
  {
    EventLoop loop;
    const auto listener = UvListener::adopt(loop, fd);
    CHECK(listener->address().host == "127.0.0.1");
    check_talk(loop, *listener, listener->address());
  }
  CHECK(fcntl(fd, F_GETFD) == -1);  // owned, so closed
}

TEST_CASE("UvListener: adopts an inherited Unix socket", "[net][listener]") {
  const SocketPath path;
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.text().copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  EventLoop loop;
  const auto listener = UvListener::adopt(loop, fd);
  check_talk(loop, *listener, {Address::Family::Unix, path.text(), 0});
}

TEST_CASE("UvListener: a descriptor that isn't a stream socket is refused and left to its owner",
          "[net][listener]") {
  EventLoop loop;
  const int file = open("/dev/null", O_RDONLY);
  CHECK(error_of([&] { UvListener::adopt(loop, file); }) == std::errc::not_a_socket);
  CHECK(fcntl(file, F_GETFD) != -1);
  close(file);
  const int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
  CHECK(error_of([&] { UvListener::adopt(loop, datagrams); }) == std::errc::wrong_protocol_type);
  CHECK(fcntl(datagrams, F_GETFD) != -1);
  close(datagrams);
  CHECK(error_of([&] { UvListener::adopt(loop, -1); }) == std::errc::bad_file_descriptor);
}

TEST_CASE("UvListener: destroyed, it accepts no more, and its connections live on",
          "[net][listener]") {
  EventLoop loop;
  auto listener = UvListener::bind_tcp(loop, "127.0.0.1", 0);
  const Address address = listener->address();
  std::vector<std::unique_ptr<Stream>> streams;
  listener->listen(8,
                   [&](std::unique_ptr<Stream> stream) { streams.push_back(std::move(stream)); });
  SocketClient client(address);
  CHECK(run_until(loop, [&] { return streams.size() == 1; }));
  listener.reset();
  loop.run_pending();
  CHECK_FALSE(SocketClient(address).connected());
  OutputBuffer buffer;
  buffer.append("still here");
  streams[0]->write(buffer);
  CHECK(client.read_bytes(10) == "still here");
}

TEST_CASE("UvListener: without a free descriptor clients wait, and are accepted once there is one",
          "[net][listener]") {
  const SocketPath path;
  EventLoop loop;
  const auto listener = GENERATE(true, false) ? UvListener::bind_tcp(loop, "127.0.0.1", 0)
                                              : UvListener::bind_unix(loop, path.text());
  std::vector<std::unique_ptr<Stream>> streams;
  std::vector<std::error_code> shortages;
  listener->listen(
      8, [&](std::unique_ptr<Stream> stream) { streams.push_back(std::move(stream)); },
      [&](std::error_code error) { shortages.push_back(error); });
  SocketClient first(listener->address());
  REQUIRE(run_until(loop, [&] { return streams.size() == 1; }));
  SocketClient second(listener->address());
  SocketClient third(listener->address());
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{3, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const bool told = run_until(loop, [&] { return shortages.size() == 1; });
  // Once, however often it is tried.
  Timer timer(loop, [&] { setrlimit(RLIMIT_NOFILE, &before); });
  timer.start(std::chrono::milliseconds(350));
  const std::size_t accepted = streams.size();
  const bool accepted_later = run_until(loop, [&] { return streams.size() == 3; });
  setrlimit(RLIMIT_NOFILE, &before);
  REQUIRE(told);
  CHECK(accepted == 1);
  REQUIRE(accepted_later);
  CHECK(shortages == std::vector{make_error_code(std::errc::too_many_files_open)});
  OutputBuffer buffer;
  buffer.append("welcome");
  streams[2]->write(buffer);
  CHECK(third.read_bytes(7) == "welcome");
  // And so are those who come later.
  SocketClient fourth(listener->address());
  CHECK(run_until(loop, [&] { return streams.size() == 4; }));
}

TEST_CASE("UvListener: destroyed while it waits for a descriptor, it is gone", "[net][listener]") {
  EventLoop loop;
  auto listener = UvListener::bind_tcp(loop, "127.0.0.1", 0);
  const Address address = listener->address();
  int shortages = 0;
  listener->listen(8, [](std::unique_ptr<Stream>) {}, [&](std::error_code) { ++shortages; });
  SocketClient client(address);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{3, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const bool told = run_until(loop, [&] { return shortages == 1; });
  setrlimit(RLIMIT_NOFILE, &before);
  CHECK(told);
  listener.reset();
  loop.run_pending();
  CHECK_FALSE(SocketClient(address).connected());
}

TEST_CASE("UvListener: of a crowd that waits everybody is accepted, some in each turn",
          "[net][listener]") {
  EventLoop loop;
  const auto listener = UvListener::bind_tcp(loop, "127.0.0.1", 0);
  std::vector<std::unique_ptr<Stream>> streams;
  listener->listen(256,
                   [&](std::unique_ptr<Stream> stream) { streams.push_back(std::move(stream)); });
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (int i = 0; i < 150; ++i)
    clients.push_back(std::make_unique<SocketClient>(listener->address()));
  REQUIRE(run_until(loop, [&] { return !streams.empty(); }));
  CHECK(streams.size() == 64);
  CHECK(run_until(loop, [&] { return streams.size() == 150; }));
}
