#include "server/metrics.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace cppasgi {

void Metrics::count_disconnect(std::uint16_t code) {
  if (code >= 1000 && code < 1000 + disconnects_1000.size()) {
    disconnects_1000[code - 1000U].add();
  } else if (code >= 4000 && code < 4000 + disconnects_4000.size()) {
    disconnects_4000[code - 4000U].add();
  } else if (code >= 3000 && code < 4000) {
    disconnects_3xxx.add();
  } else if (code >= 4000 && code < 5000) {
    disconnects_4xxx.add();
  } else {
    disconnects_other.add();
  }
}

void Metrics::count_route(std::string_view name, bool failed, std::chrono::nanoseconds taken) {
  Route* found = &other_routes;
  if (name.size() <= Route::kMostNameBytes) {
    for (Route& route : routes) {
      if (route.name_bytes.value() == 0) {
        std::copy(name.begin(), name.end(), route.name.begin());
        std::atomic_thread_fence(std::memory_order_release);  // whoever sees its size sees the name
        route.name_bytes.set(name.size());
      }
      if (route.view() != name) continue;
      found = &route;
      break;
    }
  }
  found->requests.add();
  if (failed) found->failures.add();
  if (taken.count() > 0) found->time.add(static_cast<std::uint64_t>(taken.count()));
}

namespace {

std::uint64_t positive(std::chrono::nanoseconds time) {
  return time.count() > 0 ? static_cast<std::uint64_t>(time.count()) : 0;
}

}  // namespace

void Metrics::note_heartbeat(std::chrono::steady_clock::time_point now,
                             std::chrono::nanoseconds lag,
                             std::chrono::nanoseconds interpreter_wait) {
  heartbeat.set(positive(now.time_since_epoch()));
  last_loop_lag.set(positive(lag));
  last_gil_wait.set(positive(interpreter_wait));
  loop_lag.observe(lag);
  gil_wait.observe(interpreter_wait);
}

// --- the layout ---

namespace {

static_assert(std::is_standard_layout_v<Metrics>);

// Indexed by Limit and Handshake.
constexpr std::array<const char*, static_cast<std::size_t>(Limit::Count)> kLimits{
    "limit_request_line",
    "limit_request_header",
    "limit_request_fields",
    "limit_request_body",
    "limit_keep_alive_requests",
    "limit_concurrency",
    "open_files",
    "timeout_request_header",
    "timeout_request_body",
    "timeout_keep_alive",
    "timeout_send",
    "http_timeout",
    "application_close_timeout",
    "graceful_timeout",
    "websocket_connect_timeout",
    "websocket_timeout",
    "timeout_websocket_idle",
    "timeout_websocket_close",
    "timeout_websocket_message",
    "ping_timeout",
    "websocket_max_message_size",
    "websocket_max_frame_size",
    "limit_websocket_queue",
    "limit_websocket_unsent",
    "limit_websocket_unfinished",
    "websocket_slow_reader",
    "ws_deflate_memory"};
struct HandshakeName {
  const char* result;
  const char* reason;  // of a failure
};
constexpr std::array<HandshakeName, static_cast<std::size_t>(Handshake::Count)> kHandshakes{{
    {"accepted", nullptr},
    {"rejected", "forbidden"},
    {"rejected", "denied"},
    {"error", "invalid"},
    {"error", "version"},
    {"error", "timeout"},
    {"error", "application_error"},
    {"error", "client_left"},
}};

std::string seconds(std::chrono::microseconds time) {
  std::array<char, 32> text{};
  const int size =
      std::snprintf(text.data(), text.size(), "%g", std::chrono::duration<double>(time).count());
  return {text.data(), static_cast<std::size_t>(size)};
}

class Layout {
 public:
  std::vector<MetricRow> rows;

  // The family that the next numbers belong to.
  Layout& family(const char* name, const char* kind, const char* help, const char* label = "") {
    family_ = {name, kind, help, label, {}, 0};
    return *this;
  }
  Layout& number(std::size_t offset, std::string value = {}) {
    rows.push_back(family_);
    rows.back().value = std::move(value);
    rows.back().offset = offset;
    return *this;
  }
  Layout& handshakes(const char* HandshakeName::* name) {
    std::size_t offset = offsetof(Metrics, handshakes);
    for (const HandshakeName& handshake : kHandshakes) {
      if (handshake.*name != nullptr) number(offset, handshake.*name);
      offset += sizeof(Counter);
    }
    return *this;
  }
  Layout& limits() {
    std::size_t offset = offsetof(Metrics, limits);
    for (const char* name : kLimits) {
      number(offset, name);
      offset += sizeof(Counter);
    }
    return *this;
  }
  Layout& numbers(std::size_t offset, std::size_t count, int first) {
    for (std::size_t i = 0; i < count; ++i) {
      number(offset + i * sizeof(Counter), std::to_string(first + static_cast<int>(i)));
    }
    return *this;
  }
  Layout& histogram(std::size_t offset, const char* name, const char* help) {
    family(name, "histogram", help, "le");
    for (std::size_t i = 0; i <= Histogram::kBounds.size(); ++i) {
      number(offset + offsetof(Histogram, buckets) + i * sizeof(Counter),
             i < Histogram::kBounds.size() ? seconds(Histogram::kBounds[i]) : "+Inf");
    }
    family_.label = "sum";
    return number(offset + offsetof(Histogram, sum));
  }

 private:
  MetricRow family_;
};

}  // namespace

std::vector<MetricRow> metrics_layout() {
  Layout layout;
  layout.family("cppasgi_connections", "gauge", "Open connections, HTTP and WebSocket.")
      .number(offsetof(Metrics, connections))
      .family("cppasgi_received_bytes_total", "counter", "Bytes that clients sent.")
      .number(offsetof(Metrics, received_bytes))
      .family("cppasgi_sent_bytes_total", "counter", "Bytes handed to the kernel for clients.")
      .number(offsetof(Metrics, sent_bytes))
      .family(
          "cppasgi_http_requests_total", "counter",
          "HTTP requests by the status of their response; cut if it did not get to its end, 499 if "
          "the client left before it began.",
          "status")
      .numbers(offsetof(Metrics, responses), std::tuple_size_v<decltype(Metrics::responses)>, 100)
      .number(offsetof(Metrics, responses_other), "other")
      .number(offsetof(Metrics, responses_cut), "cut")
      .family("cppasgi_http_requests_in_flight", "gauge",
              "HTTP requests that are being received or answered.")
      .number(offsetof(Metrics, requests_in_flight))
      .histogram(offsetof(Metrics, request_duration), "cppasgi_http_request_duration_seconds",
                 "Time from a request's head to the end of its response.")
      .family("cppasgi_application_calls", "gauge",
              "Calls of the application that have not returned.")
      .number(offsetof(Metrics, running_applications))
      .family("cppasgi_websocket_connections", "gauge", "Open WebSockets.")
      .number(offsetof(Metrics, websockets))
      .family("cppasgi_websocket_handshakes_total", "counter", "Opening handshakes by outcome.",
              "result")
      .handshakes(&HandshakeName::result)
      .family("cppasgi_websocket_handshake_failures_total", "counter",
              "Opening handshakes that were not accepted, by reason.", "reason")
      .handshakes(&HandshakeName::reason)
      .family("cppasgi_websocket_messages_total", "counter", "WebSocket messages.", "direction")
      .number(offsetof(Metrics, messages_received), "in")
      .number(offsetof(Metrics, messages_sent), "out")
      .family("cppasgi_websocket_queued_messages", "gauge",
              "Messages that the application has not received yet.")
      .number(offsetof(Metrics, messages_queued))
      .family("cppasgi_websocket_disconnects_total", "counter",
              "Ended WebSockets by the code of the first close frame; 1006 without any.", "code")
      .numbers(offsetof(Metrics, disconnects_1000),
               std::tuple_size_v<decltype(Metrics::disconnects_1000)>, 1000)
      .numbers(offsetof(Metrics, disconnects_4000),
               std::tuple_size_v<decltype(Metrics::disconnects_4000)>, 4000)
      .number(offsetof(Metrics, disconnects_3xxx), "3xxx")
      .number(offsetof(Metrics, disconnects_4xxx), "4xxx")
      .number(offsetof(Metrics, disconnects_other), "other")
      .histogram(offsetof(Metrics, send_duration), "cppasgi_websocket_send_duration_seconds",
                 "Time that a send() waited for a slow client; 0 for most.")
      .histogram(offsetof(Metrics, ping_duration), "cppasgi_websocket_ping_seconds",
                 "Time from our ping to the client's pong.")
      .family("cppasgi_limits_total", "counter",
              "How often a limit or time-out was reached, by its name in docs/configuration.md.",
              "limit")
      .limits()
      .family("cppasgi_log_lines_dropped_total", "counter",
              "Log lines that were left out, as they could not be written.", "log")
      .number(offsetof(Metrics, access_lines_dropped), "access")
      .number(offsetof(Metrics, server_lines_dropped), "server")
      .family("cppasgi_worker_heartbeat_seconds", "worker", "When the loop last ran, steady clock.")
      .number(offsetof(Metrics, heartbeat))
      .family("cppasgi_worker_silence_seconds", "worker",
              "How long the loop has not run, of the time in which its process could.")
      .number(offsetof(Metrics, loop_silence))
      .family("cppasgi_worker_loop_lag_seconds", "worker", "How late the loop last ran a timer.")
      .number(offsetof(Metrics, last_loop_lag))
      .family("cppasgi_worker_gil_wait_seconds", "worker",
              "How long the loop last waited for the interpreter.")
      .number(offsetof(Metrics, last_gil_wait))
      .histogram(offsetof(Metrics, loop_lag), "cppasgi_loop_lag_seconds",
                 "How late loops ran their timers.")
      .histogram(offsetof(Metrics, gil_wait), "cppasgi_gil_wait_seconds",
                 "How long loops waited for the interpreter's lock.");
  return std::move(layout.rows);
}

RoutesLayout routes_layout() {
  static_assert(offsetof(Metrics, other_routes) ==
                offsetof(Metrics, routes) + sizeof(Metrics::routes));
  return {offsetof(Metrics, routes), sizeof(Route),
          std::tuple_size_v<decltype(Metrics::routes)> + 1};
}

// --- memory ---

std::size_t metrics_bytes() {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return (sizeof(Metrics) + page - 1) / page * page;
}

MetricsBlock::MetricsBlock(int fd, std::size_t index) {
  const std::size_t bytes = metrics_bytes();
  if (fd >= 0) {
    struct stat file{};
    if (fstat(fd, &file) != 0) throw std::system_error(errno, std::generic_category(), "metrics");
    // Writing a counter beyond the end of the file would be a bus error.
    if (static_cast<std::size_t>(file.st_size) / bytes <= index) {
      throw std::system_error(EINVAL, std::generic_category(), "metrics");
    }
  }
  const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd,
                      fd < 0 ? 0 : static_cast<off_t>(index * bytes));
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  metrics_ = static_cast<Metrics*>(memory);  // zeros are a Metrics
}

void MetricsBlock::disown() {
  mmap(metrics_, metrics_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
       -1, 0);
}

MetricsBlock::~MetricsBlock() { munmap(metrics_, metrics_bytes()); }

}  // namespace cppasgi
