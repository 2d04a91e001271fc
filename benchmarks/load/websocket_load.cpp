// Loads a WebSocket server: echoes at any size, connections and messages in flight, with or without
// permessage-deflate; connections opened and closed; a broadcast to many; idle connections held.
// Every byte that comes back is compared. Prints one JSON object: counts, errors, latency, its own
// CPU time. Speaks just enough of RFC 6455 and 7692 for that (no TLS); no conformance test. One
// thread, one epoll; Linux only; needs zlib.
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <map>
#include <random>
#include <stdexcept>
#include <string>

#include "connection.h"
#include "histogram.h"
#include "messages.h"
#include "options.h"

namespace {

constexpr auto kHandshakeTimeout = std::chrono::seconds(10);
constexpr auto kDrainTimeout = std::chrono::seconds(3);
constexpr std::size_t kOpeningAtOnce = 64;  // fits every server's accept queue

class Load final : public Owner {
 public:
  explicit Load(const Options& options)
      : options_(options),
        messages_(options.size, options.opcode == kText),
        epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

  int run() {
    for (int i = 0; i < options_.connections; ++i) {
      connections_.emplace_back(options_, *this, epoll_);
    }
    if (options_.workload != Workload::Open) open_all();

    const std::clock_t cpu_before = std::clock();
    const Clock::time_point start = Clock::now();
    const auto duration = std::chrono::duration<double>(options_.duration_seconds);
    end_ = start + std::chrono::duration_cast<Clock::duration>(duration);
    measuring_ = true;
    begin();
    if (options_.workload == Workload::Idle) {
      hold();
    } else if (options_.rate > 0) {
      pace(start);
    } else {
      run_until(end_, [this] { return live_ == 0; });
    }
    measuring_ = false;
    const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    const double cpu = static_cast<double>(std::clock() - cpu_before) / CLOCKS_PER_SEC;
    finish();
    return report(elapsed, cpu);
  }

 private:
  using Phase = Connection::Phase;

  // A few at a time, so that nothing is lost in a full accept queue.
  void open_all() {
    std::size_t next = 0;
    Clock::time_point deadline = Clock::now() + kHandshakeTimeout;
    run_until(Clock::time_point::max(), [&] {
      while (next < connections_.size() && live_ - opened_ < kOpeningAtOnce) {
        open(connections_[next++]);
        deadline = Clock::now() + kHandshakeTimeout;
      }
      return opened_ == live_ || Clock::now() > deadline;
    });
    fail_all([](Connection& c) { return c.phase() == Phase::Handshaking; }, "no handshake in time");
  }

  void begin() {
    for (Connection& connection : connections_) {
      guard(connection, [&] {
        if (options_.workload == Workload::Open) return open(connection);
        if (connection.phase() != Phase::Open || options_.rate > 0) return;
        if (options_.workload == Workload::Broadcast && &connection == &connections_.front()) {
          broadcast();
        } else if (options_.workload == Workload::Echo) {
          for (int i = 0; i < options_.in_flight; ++i) send(connection, Clock::now());
          connection.flush();
        }
      });
    }
  }

  // Open loop: messages leave when they are due, however slow the echoes are, and their latency
  // counts from then. Spins, since epoll waits whole milliseconds and the loader has its core to
  // itself.
  void pace(Clock::time_point start) {
    const std::chrono::duration<double> gap(1 / options_.rate);
    std::size_t turn = 0;
    for (std::uint64_t number = 1; live_ > 0; ++number) {
      const auto due = start + std::chrono::duration_cast<Clock::duration>(gap * double(number));
      if (due > end_) return run_until(end_, [this] { return live_ == 0; });
      while (Clock::now() < due) step(0);
      Connection* connection = &connections_[turn++ % connections_.size()];
      if (connection->phase() != Phase::Open) continue;
      guard(*connection, [&] {
        send(*connection, due);
        connection->flush();
      });
    }
  }

  // Says so when all are open, then answers pings until standard input ends.
  void hold() {
    std::printf("{\"open\": %zu}\n", opened_);
    std::fflush(stdout);
    epoll_event event{};
    event.events = EPOLLIN;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    run_until(end_, [this] { return input_ended_; });
  }

  void finish() {
    // An echo still owed after the drain is lost: that is an error, not a slow message.
    const Clock::time_point deadline = Clock::now() + kDrainTimeout;
    run_until(deadline, [this] { return owed_ == 0; });
    fail_all([](Connection& c) { return !c.sent.empty(); }, "an echo never came back");
    for (Connection& connection : connections_) {
      guard(connection, [&] {
        connection.close();
        connection.flush();
      });
    }
    // Connections that are still opening close by themselves: on_open() looks at the clock.
    run_until(Clock::now() + kDrainTimeout, [this] { return live_ == 0; });
    fail_all([](Connection& c) { return c.phase() == Phase::Closing; },
             "no end of TCP after the closing handshake");
    fail_all([](Connection& c) { return c.phase() == Phase::Handshaking; }, "no handshake in time");
  }

  template <typename Done>
  void run_until(Clock::time_point deadline, Done done) {
    while (!done()) {
      const auto left = deadline - Clock::now();
      if (left <= Clock::duration::zero()) return;
      const auto wait = std::chrono::ceil<std::chrono::milliseconds>(left).count();
      step(static_cast<int>(std::min<std::int64_t>(wait, 100)));
    }
  }

  void step(int wait_ms) {
    const int most = static_cast<int>(events_.size());
    const int ready = epoll_wait(epoll_, events_.data(), most, wait_ms);
    for (int i = 0; i < ready; ++i) {
      if (events_[std::size_t(i)].data.ptr == nullptr) {
        char byte;
        input_ended_ = ::read(STDIN_FILENO, &byte, 1) <= 0;
        continue;
      }
      Connection& connection = *static_cast<Connection*>(events_[std::size_t(i)].data.ptr);
      guard(connection, [&] { connection.on_events(events_[std::size_t(i)].events); });
    }
  }

  template <typename Step>
  void guard(Connection& connection, Step step) {
    try {
      step();
    } catch (const PeerError& error) {
      fail(connection, error.what());
    }
  }

  void open(Connection& connection) {
    ++live_;
    guard(connection, [&] { connection.open(); });
  }

  void fail(Connection& connection, const char* reason) {
    if (connection.phase() == Phase::Closed) return;
    ++errors_;
    ++reasons_[reason];
    owed_ -= connection.sent.size();
    connection.sent.clear();
    if (connection.phase() != Phase::Handshaking) --opened_;
    connection.drop();
    --live_;
  }

  template <typename Which>
  void fail_all(Which which, const char* reason) {
    for (Connection& connection : connections_) {
      if (which(connection)) fail(connection, reason);
    }
  }

  void send(Connection& connection, Clock::time_point at) {
    const std::uint64_t seed = random_();
    connection.queue_message(messages_.make(seed));
    connection.sent.push_back({seed, at});
    ++owed_;
  }

  void broadcast() {
    const Connection::Sent sent{random_(), Clock::now()};
    for (Connection& connection : connections_) {
      if (connection.phase() != Phase::Open) continue;
      connection.sent.push_back(sent);
      ++owed_;
    }
    connections_.front().queue_message(messages_.make(sent.seed));
    connections_.front().flush();
  }

  void on_open(Connection& connection) override {
    ++opened_;
    if (options_.workload != Workload::Open) return;
    if (options_.echo && measuring_) return send(connection, connection.opened_at);
    connection.close();
  }

  void on_message(Connection& connection, std::uint8_t opcode,
                  std::span<const std::uint8_t> message) override {
    if (connection.sent.empty()) throw PeerError("a message nobody asked for");
    const Connection::Sent sent = connection.sent.front();
    if (opcode != options_.opcode || !messages_.matches(sent.seed, message)) {
      throw PeerError("wrong echo");
    }
    connection.sent.pop_front();
    --owed_;
    if (options_.workload == Workload::Open) return connection.close();
    if (!measuring_) return;
    const Clock::time_point now = Clock::now();
    latencies_.record(now - sent.at);
    if (options_.workload == Workload::Broadcast) {
      if (owed_ == 0) guard(connections_.front(), [this] { broadcast(); });
    } else if (options_.rate == 0) {
      send(connection, now);
    }
  }

  void on_closed(Connection& connection) override {
    --live_;
    --opened_;
    if (options_.workload != Workload::Open || !measuring_) return;
    latencies_.record(Clock::now() - connection.opened_at);
    open(connection);
  }

  int report(double elapsed, double cpu) {
    for (const auto& [reason, times] : reasons_) {
      std::fprintf(stderr, "websocket_load: %zu times: %s\n", times, reason.c_str());
    }
    const std::uint64_t count = latencies_.total();
    std::printf(
        "{\"count\": %llu, \"errors\": %zu, \"elapsed_seconds\": %.4f, \"per_second\": %.1f, "
        "\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"most_us\": %.1f, "
        "\"loader_cpu_seconds\": %.4f}\n",
        static_cast<unsigned long long>(count), errors_, elapsed,
        static_cast<double>(count) / elapsed, latencies_.percentile_us(0.5),
        latencies_.percentile_us(0.99), latencies_.percentile_us(0.999), latencies_.most_us(), cpu);
    return errors_ == 0 && (count > 0 || options_.workload == Workload::Idle) ? 0 : 1;
  }

  Options options_;
  Messages messages_;
  int epoll_;
  std::deque<Connection> connections_;
  std::vector<epoll_event> events_ = std::vector<epoll_event>(256);
  Histogram latencies_;
  std::map<std::string, std::size_t> reasons_;
  Clock::time_point end_;
  std::size_t errors_ = 0;
  std::size_t live_ = 0, opened_ = 0;  // connections that have a socket; those past the handshake
  std::size_t owed_ = 0;               // echoes on their way
  bool measuring_ = false, input_ended_ = false;
  std::mt19937_64 random_{20};
};

void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse_options(argc, argv);
    raise_descriptor_limit();
    return Load(options).run();
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "bad option: %s\nusage: websocket_load %s\n", error.what(), kUsage);
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "websocket_load: %s\n", error.what());
    return 2;
  }
}
