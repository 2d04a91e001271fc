// The metrics of a server, in a block of memory that other processes can read while it runs. Each
// worker has one block in the metrics memory, a file that the supervisor makes; without a
// supervisor the block is private. Counting is always on: it costs a load and a store, and needs no
// lock. No clock, no Python. Only the loop's thread writes, except for loop_silence; any process
// may read.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cppasgi {

// A number of 64 bits. In a new block all are zero.
class Counter {
 public:
  void add(std::uint64_t count = 1) { set(value() + count); }
  void subtract(std::uint64_t count = 1) { set(value() - count); }
  void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
  std::atomic<std::uint64_t> value_{0};
};

// Counts durations: each bucket has those that are at most its bound and above the bound before it.
class Histogram {
 public:
  using Duration = std::chrono::nanoseconds;
  static constexpr std::array<std::chrono::microseconds, 16> kBounds{
      std::chrono::microseconds{500},
      std::chrono::microseconds{1'000},
      std::chrono::microseconds{2'500},
      std::chrono::microseconds{5'000},
      std::chrono::microseconds{10'000},
      std::chrono::microseconds{25'000},
      std::chrono::microseconds{50'000},
      std::chrono::microseconds{100'000},
      std::chrono::microseconds{250'000},
      std::chrono::microseconds{500'000},
      std::chrono::seconds{1},
      std::chrono::microseconds{2'500'000},
      std::chrono::seconds{5},
      std::chrono::seconds{10},
      std::chrono::seconds{30},
      std::chrono::seconds{60}};

  void observe(Duration duration) {
    std::size_t bucket = 0;
    while (bucket < kBounds.size() && duration > kBounds[bucket]) ++bucket;
    buckets[bucket].add();
    sum.add(duration.count() > 0 ? static_cast<std::uint64_t>(duration.count()) : 0);
  }
  void observe_none() { buckets[0].add(); }  // a duration of 0

  std::array<Counter, kBounds.size() + 1> buckets;  // the last: above all bounds
  Counter sum;                                      // nanoseconds
};

// The costs of the requests of one of the application's routes. Words of 64 bits come first, then
// the name.
struct Route {
  static constexpr std::size_t kMostNameBytes = 96;

  Counter name_bytes;  // 0: not taken
  Counter requests;
  Counter failures;  // 5xx, or cut
  Counter time;      // nanoseconds
  std::array<char, kMostNameBytes> name;

  std::string_view view() const { return {name.data(), name_bytes.value()}; }
};

// The limits that an operator sets, named like the arguments of cppasgi.Server
// (docs/configuration.md).
enum class Limit : std::uint8_t {
  RequestLine,
  RequestHeader,
  RequestFields,
  RequestBody,
  KeepAliveRequests,
  Concurrency,
  OpenFiles,  // accepting had to pause
  TimeoutRequestHeader,
  TimeoutRequestBody,
  TimeoutKeepAlive,
  TimeoutSend,
  HttpTimeout,
  ApplicationCloseTimeout,
  GracefulTimeout,
  WebSocketConnectTimeout,
  WebSocketTimeout,
  TimeoutWebSocketIdle,
  TimeoutWebSocketClose,
  TimeoutWebSocketMessage,
  PingTimeout,
  WebSocketMessageSize,
  WebSocketFrameSize,
  WebSocketQueue,
  WebSocketUnsent,      // send() had to wait
  WebSocketUnfinished,  // parts of messages took too much: 1013
  WebSocketSlowReader,  // the client was dropped instead, with 1013
  DeflateMemory,        // a WebSocket got shared streams
  Count,
};

// The outcomes of opening handshakes.
enum class Handshake : std::uint8_t {
  Accepted,
  Forbidden,         // the application closed: 403
  Denied,            // it answered with a response of its own
  Invalid,           // not a handshake of RFC 6455: 400
  Version,           // of another version: 426
  Timeout,           // the application didn't answer: 503
  ApplicationError,  // it failed: 500
  ClientLeft,
  Count,
};

// Everything that is counted. It consists of counters and structs of counters, without pointers;
// metrics_layout() describes it to readers.
struct Metrics {
  Counter connections;  // open now
  Counter received_bytes;
  Counter sent_bytes;

  std::array<Counter, 500> responses;  // by status, from 100 on
  Counter responses_other;             // from 600 on
  Counter served;         // requests and handshakes so far: the sum of all rows for both, at hand
  Counter responses_cut;  // begun, but the client left, or it was cut, before the end
  Counter requests_in_flight;  // that have a head but no whole response, now
  Histogram request_duration;
  Counter running_applications;  // calls now
  std::array<Route, 64> routes;  // those that were named first
  Route other_routes;            // without a name: all others, and those whose name is too long

  Counter websockets;  // open now
  std::array<Counter, static_cast<std::size_t>(Handshake::Count)> handshakes;
  Counter messages_received;
  Counter messages_sent;
  Counter messages_queued;  // not yet received by the application, now
  std::array<Counter, 16> disconnects_1000;
  std::array<Counter, 100> disconnects_4000;
  Counter disconnects_3xxx;
  Counter disconnects_4xxx;  // from 4100 on
  Counter disconnects_other;
  Histogram send_duration;  // what a send() waited for its client
  Histogram ping_duration;

  std::array<Counter, static_cast<std::size_t>(Limit::Count)> limits;
  Counter access_lines_dropped;
  Counter server_lines_dropped;

  Counter heartbeat;      // when the loop last ran, nanoseconds of the steady clock; 0: never
  Counter loop_silence;   // nanoseconds without a sign of life in which it could have given one:
                          // of the thread that guards it (server/process/loop_guard.h)
  Counter last_loop_lag;  // nanoseconds
  Counter last_gil_wait;
  Histogram loop_lag;
  Histogram gil_wait;

  void count_response(int status) {
    const auto index = static_cast<std::size_t>(status - 100);
    (index < responses.size() ? responses[index] : responses_other).add();
    served.add();
  }
  void count_cut_response() {
    responses_cut.add();
    served.add();
  }
  void count(Handshake result) {
    handshakes[static_cast<std::size_t>(result)].add();
    served.add();
  }
  // Adds a request to the route `name`, which isn't empty.
  void count_route(std::string_view name, bool failed, std::chrono::nanoseconds taken);
  void count(Limit limit, std::uint64_t times = 1) {
    limits[static_cast<std::size_t>(limit)].add(times);
  }
  void count_disconnect(std::uint16_t code);
  // Notes that the loop runs: `lag` is how late its timer fired, `interpreter_wait` how long it
  // waited for the GIL.
  void note_heartbeat(std::chrono::steady_clock::time_point now, std::chrono::nanoseconds lag,
                      std::chrono::nanoseconds interpreter_wait);
};

// Describes one number of the block to readers.
struct MetricRow {
  std::string family;  // its Prometheus name. One in "_seconds" is kept in nanoseconds
  std::string kind;    // "counter", "gauge" (of all workers: the sum), "histogram", or "worker": a
                       // gauge that can't be added up
  std::string help;
  std::string label;  // empty: the family has one number. Of histograms "le" or "sum"
  std::string value;  // of the label. Buckets aren't cumulative; rows that are the same but for
                      // the offset are to be added up
  std::size_t offset = 0;  // bytes into the block
};

std::vector<MetricRow> metrics_layout();

// Where the routes are in a block. The last one, without a name, is for all others.
struct RoutesLayout {
  std::size_t offset = 0;
  std::size_t bytes = 0;  // of each
  std::size_t count = 0;
};
RoutesLayout routes_layout();

// The size of a block in a file, in bytes: whole pages.
std::size_t metrics_bytes();

// The memory of one block.
class MetricsBlock {
 public:
  // Maps block `index` of the file `fd`, which may be closed afterwards, or private memory if `fd`
  // is -1. Throws std::system_error.
  MetricsBlock(int fd, std::size_t index);
  ~MetricsBlock();
  MetricsBlock(const MetricsBlock&) = delete;
  MetricsBlock& operator=(const MetricsBlock&) = delete;

  // To be called in a forked child: counts in private memory from now on, at the same address.
  void disown();

  Metrics& operator*() const { return *metrics_; }
  Metrics* operator->() const { return metrics_; }

 private:
  Metrics* metrics_;
};

}  // namespace cppasgi
