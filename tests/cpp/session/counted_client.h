// A client and an application over a host in memory, and what the session has counted.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "support/fake_host.h"
#include "support/test_application.h"

namespace cppasgi::test {

inline constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

// One connection to an application that answers "ok" and accepts WebSockets.
struct CountedClient {
  explicit CountedClient(const ServerOptions& options = {}) : host(application, options) {
    application.on_http = [](HttpCall& call) { call.answer("ok"); };
    application.on_websocket = [](WebSocketCall& call) { call.responder()->accept({}, {}); };
    wire = host.connect();
  }
  void send(std::string_view bytes) {
    wire->send(bytes);
    host.finish_batch();
  }
  WebSocketCall& websocket() { return *application.websockets.at(0); }
  Metrics& metrics() { return *host.metrics; }
  std::uint64_t count(Limit limit) {
    return metrics().limits.at(static_cast<std::size_t>(limit)).value();
  }
  std::uint64_t count(Handshake result) {
    return metrics().handshakes.at(static_cast<std::size_t>(result)).value();
  }
  std::uint64_t responses(int status) {
    return metrics().responses.at(static_cast<std::size_t>(status - 100)).value();
  }
  // Counts disconnects with any close code.
  std::uint64_t disconnects() {
    std::uint64_t sum = 0;
    for (const Counter& counter : metrics().disconnects_1000) sum += counter.value();
    return sum;
  }

  TestApplication application;
  FakeHost host;
  std::shared_ptr<Wire> wire;
};

inline std::uint64_t total(const Histogram& histogram) {
  std::uint64_t sum = 0;
  for (const Counter& bucket : histogram.buckets) sum += bucket.value();
  return sum;
}

}  // namespace cppasgi::test
