// Of the operator's lines that clients cause, which are written and what is told of the others.
#include "server/session/log_limiter.h"

#include <cstddef>
#include <string>
#include <vector>

#include "support/catch.h"
#include "support/fake_host.h"
#include "support/test_application.h"

using namespace cppasgi;
using cppasgi::session::LogLimiter;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kStart{1'000'000};

// How many of `count` lines that say `what` pass at `now`.
int passed(LogLimiter& limiter, std::string_view what, int count, milliseconds now) {
  int number = 0;
  while (count-- > 0) number += limiter.passes(what, now) ? 1 : 0;
  return number;
}

}  // namespace

TEST_CASE("LogLimiter: ten lines of a kind pass in ten seconds, the rest is told after them",
          "[session][log]") {
  LogLimiter limiter;
  CHECK(passed(limiter, "a", 12, kStart) == 10);
  CHECK(passed(limiter, "a", 5, kStart + milliseconds(9'999)) == 0);
  CHECK(limiter.next_report() == kStart + milliseconds(10'000));
  CHECK(limiter.take_reports(kStart + milliseconds(9'999)).empty());
  CHECK(limiter.take_reports(kStart + milliseconds(10'000)) ==
        std::vector<std::string>{"a: 7 more lines like this were left out in the last 10 s"});
  CHECK(limiter.next_report() == milliseconds::max());
  CHECK(passed(limiter, "a", 12, kStart + milliseconds(10'001)) == 10);
}

TEST_CASE("LogLimiter: seconds without anything left out end without a word", "[session][log]") {
  LogLimiter limiter;
  CHECK(passed(limiter, "a", 10, kStart) == 10);
  CHECK(limiter.next_report() == milliseconds::max());
  CHECK(passed(limiter, "a", 10, kStart + milliseconds(10'000)) == 10);
  CHECK(limiter.take_reports(milliseconds::max()).empty());
}

TEST_CASE("LogLimiter: a report that is late counts on", "[session][log]") {
  LogLimiter limiter;
  CHECK(passed(limiter, "a", 11, kStart) == 10);
  CHECK(passed(limiter, "a", 1, kStart + milliseconds(30'000)) == 0);
  CHECK(limiter.take_reports(kStart + milliseconds(30'000)) ==
        std::vector<std::string>{"a: 2 more lines like this were left out in the last 10 s"});
}

TEST_CASE("LogLimiter: of all kinds twenty lines pass in a second, and the first of each",
          "[session][log]") {
  LogLimiter limiter;
  std::vector<std::string> kinds;
  for (int i = 0; i < 30; ++i) kinds.push_back("kind " + std::to_string(i));
  int number = 0;
  for (const std::string& kind : kinds) number += passed(limiter, kind, 10, kStart);
  CHECK(number == 20 + 30);
  CHECK(passed(limiter, "kind 29", 10, kStart + milliseconds(1'000)) == 9);
  CHECK(limiter.take_reports(milliseconds::max()).size() == 28);
}

TEST_CASE("LogLimiter: one line left out is told in the singular", "[session][log]") {
  LogLimiter limiter;
  passed(limiter, "a", 11, kStart);
  CHECK(limiter.take_reports(milliseconds::max()) ==
        std::vector<std::string>{"a: 1 more line like this was left out in the last 10 s"});
}

TEST_CASE("Session: the same error of many clients is a repeat, another is none",
          "[session][log]") {
  test::TestApplication application;
  test::FakeHost host(application);
  for (int i = 0; i < 100; ++i) {
    host.connect()->send("nonsense\r\n\r\n");
    host.finish_batch();
  }
  host.connect()->send("GET / HTTP/3.0\r\n\r\n");
  CHECK(application.log.size() == 11);
  CHECK(application.log.back().ends_with("HTTP version not supported"));
  CHECK(host.take_announced() <= host.now() + milliseconds(10'000));
  host.report_left_out(host.now() + milliseconds(10'000));
  CHECK(application.log.back() ==
        "malformed request line: 90 more lines like this were left out in the last 10 s");
}
