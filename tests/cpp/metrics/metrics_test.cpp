// Counters in shared memory, and the table that describes them to readers.
#include "server/metrics.h"

#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

#include "support/catch.h"

using namespace cppasgi;
using namespace std::chrono_literals;

namespace {

// The numbers that aren't 0, by family and value of the label, as a reader adds them up.
std::map<std::string, std::uint64_t> read(const Metrics& metrics) {
  std::map<std::string, std::uint64_t> found;
  for (const MetricRow& row : metrics_layout()) {
    std::uint64_t number = 0;
    std::memcpy(&number, reinterpret_cast<const char*>(&metrics) + row.offset, sizeof number);
    const std::string value = row.label == "sum" ? "sum" : row.value;
    if (number != 0) found[row.family + (value.empty() ? "" : " " + value)] += number;
  }
  return found;
}

using Found = std::map<std::string, std::uint64_t>;

}  // namespace

TEST_CASE("Metrics: every number stands in the layout, at a place of its own", "[metrics]") {
  std::set<std::size_t> offsets;
  std::set<std::tuple<std::string, std::size_t>> places;
  for (const MetricRow& row : metrics_layout()) {
    offsets.insert(row.offset);
    CHECK(places.emplace(row.family, row.offset).second);
  }
  const RoutesLayout routes = routes_layout();
  for (std::size_t word = 0; word < routes.bytes * routes.count / sizeof(Counter); ++word)
    CHECK(offsets.insert(routes.offset + word * sizeof(Counter)).second);
  CHECK(offsets.insert(offsetof(Metrics, served)).second);  // a sum of others, not told of
  CHECK(offsets.size() * sizeof(Counter) == sizeof(Metrics));
  CHECK(*offsets.rbegin() + sizeof(Counter) == sizeof(Metrics));
}

TEST_CASE("Metrics: names are Prometheus's, with one kind and help for each family", "[metrics]") {
  std::map<std::string, std::pair<std::string, std::string>> families;
  for (const MetricRow& row : metrics_layout()) {
    CHECK(row.family.starts_with("cppasgi_"));
    CHECK_FALSE(row.help.empty());
    CHECK(row.family.ends_with("_total") == (row.kind == "counter"));
    if (row.kind == "histogram") CHECK(row.family.ends_with("_seconds"));
    const auto known = families.emplace(row.family, std::pair(row.kind, row.help)).first;
    CHECK(known->second == std::pair(row.kind, row.help));
  }
}

TEST_CASE("Metrics: responses are counted by status", "[metrics]") {
  const MetricsBlock block(-1, 0);
  for (const int status : {100, 200, 200, 404, 599, 0, 99, 600}) block->count_response(status);
  CHECK(read(*block) == Found{{"cppasgi_http_requests_total 100", 1},
                              {"cppasgi_http_requests_total 200", 2},
                              {"cppasgi_http_requests_total 404", 1},
                              {"cppasgi_http_requests_total 599", 1},
                              {"cppasgi_http_requests_total other", 3}});
}

TEST_CASE("Metrics: the first names of routes have a place, all others share one", "[metrics]") {
  const MetricsBlock block(-1, 0);
  using std::chrono::nanoseconds;
  for (int i = 0; i < 100; ++i)
    block->count_route("/" + std::to_string(i), i % 2 == 0, nanoseconds(5));
  block->count_route("/7", true, nanoseconds(6));
  const std::string longest(Route::kMostNameBytes, 'x');
  block->count_route(longest + 'x', true, nanoseconds(0));
  CHECK(block->routes[7].view() == "/7");
  CHECK(block->routes[7].requests.value() == 2);
  CHECK(block->routes[7].failures.value() == 1);
  CHECK(block->routes[7].time.value() == 11);
  CHECK(block->routes.back().view() == "/63");
  CHECK(block->other_routes.requests.value() == 100 - block->routes.size() + 1);
  CHECK(block->other_routes.view().empty());

  const MetricsBlock another(-1, 0);
  another->count_route(longest, false, nanoseconds(1));
  another->count_route(longest.substr(1), false, nanoseconds(1));
  CHECK(another->routes[0].view() == longest);
  CHECK(another->routes[1].requests.value() == 1);
}

TEST_CASE("Metrics: close codes keep their number up to 1015 and from 4000 to 4099", "[metrics]") {
  const auto [code, value] = GENERATE(table<std::uint16_t, std::string>({{0, "other"},
                                                                         {999, "other"},
                                                                         {1000, "1000"},
                                                                         {1006, "1006"},
                                                                         {1015, "1015"},
                                                                         {1016, "other"},
                                                                         {2999, "other"},
                                                                         {3000, "3xxx"},
                                                                         {3999, "3xxx"},
                                                                         {4000, "4000"},
                                                                         {4099, "4099"},
                                                                         {4100, "4xxx"},
                                                                         {4999, "4xxx"},
                                                                         {5000, "other"}}));
  const MetricsBlock block(-1, 0);
  block->count_disconnect(code);
  CHECK(read(*block) == Found{{"cppasgi_websocket_disconnects_total " + value, 1}});
}

TEST_CASE("Metrics: limits and handshakes have names, failed ones a result and a reason",
          "[metrics]") {
  const MetricsBlock block(-1, 0);
  block->count(Limit::RequestLine);
  block->count(Limit::DeflateMemory, 3);
  block->count(Handshake::Accepted);
  block->count(Handshake::Forbidden);
  block->count(Handshake::Denied);
  block->count(Handshake::ClientLeft);
  CHECK(read(*block) == Found{{"cppasgi_limits_total limit_request_line", 1},
                              {"cppasgi_limits_total ws_deflate_memory", 3},
                              {"cppasgi_websocket_handshakes_total accepted", 1},
                              {"cppasgi_websocket_handshakes_total rejected", 2},
                              {"cppasgi_websocket_handshakes_total error", 1},
                              {"cppasgi_websocket_handshake_failures_total forbidden", 1},
                              {"cppasgi_websocket_handshake_failures_total denied", 1},
                              {"cppasgi_websocket_handshake_failures_total client_left", 1}});
}

TEST_CASE("Metrics: a duration counts in the first bucket whose bound it doesn't exceed",
          "[metrics]") {
  const auto [duration, bucket] =
      GENERATE(table<std::chrono::nanoseconds, std::string>({{1ns, "0.0005"},
                                                             {500us, "0.0005"},
                                                             {500'001ns, "0.001"},
                                                             {2'500ms, "2.5"},
                                                             {60s, "60"},
                                                             {61s, "+Inf"}}));
  const MetricsBlock block(-1, 0);
  block->ping_duration.observe(duration);
  CHECK(read(*block) == Found{{"cppasgi_websocket_ping_seconds " + bucket, 1},
                              {"cppasgi_websocket_ping_seconds sum",
                               static_cast<std::uint64_t>(duration.count())}});
}

TEST_CASE("Metrics: a heartbeat leaves its time, and no negative lag", "[metrics]") {
  const MetricsBlock block(-1, 0);
  block->note_heartbeat(std::chrono::steady_clock::time_point(7s), 2ms, -1ns);
  CHECK(block->heartbeat.value() == 7'000'000'000);
  CHECK(block->last_loop_lag.value() == 2'000'000);
  CHECK(block->last_gil_wait.value() == 0);
  CHECK(block->loop_lag.sum.value() == 2'000'000);
  CHECK(block->gil_wait.sum.value() == 0);
  CHECK(block->gil_wait.buckets[0].value() == 1);
}

TEST_CASE("Metrics: blocks of a file are shared, whole pages apart, and outlive its descriptor",
          "[metrics]") {
  const std::size_t bytes = metrics_bytes();
  CHECK(bytes >= sizeof(Metrics));
  CHECK(bytes % static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) == 0);
  const int fd = memfd_create("board", MFD_CLOEXEC);
  REQUIRE(ftruncate(fd, static_cast<off_t>(3 * bytes)) == 0);
  const MetricsBlock one(fd, 1);
  const MetricsBlock two(fd, 2);
  const MetricsBlock reader(fd, 1);
  CHECK_THROWS_AS(MetricsBlock(fd, 3), std::system_error);
  CHECK_THROWS_AS(MetricsBlock(fd, std::numeric_limits<std::size_t>::max()), std::system_error);
  close(fd);
  one->connections.add(5);
  one->connections.subtract(2);
  two->connections.add();
  CHECK(reader->connections.value() == 3);
  CHECK_THROWS_AS(MetricsBlock(fd, 0), std::system_error);
}

TEST_CASE("Metrics: a block that was disowned counts for nobody", "[metrics]") {
  const int fd = memfd_create("board", MFD_CLOEXEC);
  REQUIRE(ftruncate(fd, static_cast<off_t>(metrics_bytes())) == 0);
  MetricsBlock block(fd, 0);
  const MetricsBlock reader(fd, 0);
  close(fd);
  block->connections.add(5);
  Metrics& place = *block;
  block.disown();
  CHECK(&*block == &place);
  block->connections.add();
  CHECK(block->connections.value() == 1);
  CHECK(reader->connections.value() == 5);
}
