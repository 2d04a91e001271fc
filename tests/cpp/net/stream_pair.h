// A stream and its client on real sockets, for the tests of UvStream.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "net/net_fixture.h"
#include "server/net/uv_listener.h"
#include "support/catch.h"
#include "support/socket_client.h"

namespace cppasgi::test {

enum class Kind { Tcp, Unix };

// A stream and its client, connected; the stream is reading.
struct StreamPair {
  explicit StreamPair(Kind kind)
      : listener(kind == Kind::Tcp ? net::UvListener::bind_tcp(loop, "127.0.0.1", 0)
                                   : net::UvListener::bind_unix(loop, path.text())) {
    listener->listen(8, [this](std::unique_ptr<net::Stream> accepted) {
      accepted->start_reading(recorder);
      stream = std::move(accepted);
    });
    client = std::make_unique<SocketClient>(listener->address());
    REQUIRE(run_until(loop, [this] { return stream != nullptr; }));
  }

  void write(std::string_view bytes) {
    OutputBuffer buffer;
    buffer.append(bytes);
    stream->write(buffer);
    REQUIRE(buffer.empty());
  }

  SocketPath path;
  net::EventLoop loop;
  Recorder recorder;
  std::unique_ptr<net::UvListener> listener;
  std::unique_ptr<SocketClient> client;
  std::unique_ptr<net::Stream> stream;
};

inline const std::string kLarge(20'000'000, 'x');  // more than any socket buffer

}  // namespace cppasgi::test
