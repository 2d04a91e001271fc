// The text of access log lines, which is Daphne's (daphne/access.py), and what the log does with
// bytes that could forge one.
#include "server/session/access_log.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <regex>
#include <string>
#include <thread>

#include "support/catch.h"
#include "support/fake_host.h"

using namespace cppasgi;
using cppasgi::session::AccessLog;
using cppasgi::test::MemoryFile;

namespace {

const Address kClient{Address::Family::Tcp, "127.0.0.1", 49152};

// As Python's strftime("%d/%b/%Y:%H:%M:%S") of the local time.
std::string formatted(std::time_t time) {
  std::array<char, 64> text{};
  std::tm local{};
  localtime_r(&time, &local);
  std::strftime(text.data(), text.size(), "%d/%b/%Y:%H:%M:%S", &local);
  return text.data();
}

// One line of a log, with its time replaced by T.
template <typename Add>
std::string line(Add&& add) {
  const MemoryFile file;
  AccessLog log(file.fd());
  add(log);
  log.flush();
  return std::regex_replace(file.text(), std::regex(R"(\[[^\]]*\])"), "[T]");
}

}  // namespace

TEST_CASE("AccessLog: a response is one line, with its time", "[session][log]") {
  const MemoryFile file;
  AccessLog log(file.fd());
  const std::time_t before = std::time(nullptr);
  log.add({kClient, "GET", "/path?q=1", 200, 1234});
  const std::time_t after = std::time(nullptr);
  log.flush();
  const auto expected = [](std::time_t time) {
    return "127.0.0.1:49152 - - [" + formatted(time) + "] \"GET /path?q=1\" 200 1234\n";
  };
  CHECK((file.text() == expected(before) || file.text() == expected(after)));
}

TEST_CASE("AccessLog: no content is a dash, a Unix client is None", "[session][log]") {
  CHECK(line([](AccessLog& log) { log.add({kClient, "HEAD", "/", 204, 0}); }) ==
        "127.0.0.1:49152 - - [T] \"HEAD /\" 204 -\n");
  CHECK(line([](AccessLog& log) {
          log.add({{Address::Family::Unix, "", 0}, "GET", "/", 200, 2});
        }) == "None - - [T] \"GET /\" 200 2\n");
  CHECK(line([](AccessLog& log) {
          log.add({{Address::Family::Tcp, "::1", 7}, "GET", "/", 200, 2});
        }) == "::1:7 - - [T] \"GET /\" 200 2\n");
}

TEST_CASE("AccessLog: a WebSocket's lines have neither status nor length", "[session][log]") {
  CHECK(line([](AccessLog& log) { log.add({kClient, "WSCONNECT", "/chat"}); }) ==
        "127.0.0.1:49152 - - [T] \"WSCONNECT /chat\" - -\n");
}

TEST_CASE("AccessLog: a quote or backslash can't end the request early", "[session][log]") {
  CHECK(line([](AccessLog& log) { log.add({kClient, "GET", "/\" 200 1\\", 404, 9}); }) ==
        "127.0.0.1:49152 - - [T] \"GET /\\x22 200 1\\x5C\" 404 9\n");
}

TEST_CASE("AccessLog: lines are kept until flush, in order", "[session][log]") {
  const MemoryFile file;
  AccessLog log(file.fd());
  log.add({kClient, "GET", "/first", 200, 1});
  log.add({kClient, "WSCONNECTING", "/second"});
  CHECK(file.text().empty());
  log.flush();
  const std::string text = file.text();
  CHECK(text.find("/first") < text.find("/second"));
  log.flush();
  CHECK(file.text() == text);
}

TEST_CASE("AccessLog: without a descriptor nothing is kept", "[session][log]") {
  AccessLog log(-1);
  CHECK_FALSE(log.enabled());
  log.add({kClient, "GET", "/", 200, 1});
  log.add({kClient, "WSCONNECT", "/"});
  log.flush();
}

TEST_CASE("AccessLog: that lines are lost is told at once, and then how many once a minute",
          "[session][log]") {
  std::array<int, 2> pair{};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.data()) == 0);
  AccessLog log(pair[0], "daphne", {}, std::chrono::milliseconds(40));
  const auto lose = [&log](int lines) {
    for (int i = 0; i < lines; ++i) log.add({kClient, "GET", "/", 200, 1});
    log.flush();
  };
  const auto lost = [](int lines) {
    return "Access log lines left out, as they could not be written: " + std::to_string(lines);
  };
  while (log.dropped() == 0) lose(5000);
  CHECK(log.take_report() ==
        "The access log can't be written, so lines are left out: nobody reads it");
  CHECK(log.take_report().empty());
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  lose(5000);
  CHECK(log.take_report() == lost(static_cast<int>(log.dropped())));
  lose(5000);
  CHECK(log.take_report().empty());
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  CHECK(log.take_report() == lost(5000));
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  CHECK(log.take_report().empty());
  // Once the reader is back, another time begins with a word.
  std::array<char, 65536> block{};
  do {
    while (read(pair[1], block.data(), block.size()) > 0) continue;
    log.flush();
  } while (log.is_behind() && log.take_report().empty() && log.is_behind());
  CHECK_FALSE(log.is_behind());
  for (const std::uint64_t before = log.dropped(); log.dropped() == before;) lose(5000);
  CHECK(log.take_report() ==
        "The access log can't be written, so lines are left out: nobody reads it");
  close(pair[0]);
  close(pair[1]);
}

TEST_CASE("AccessLog: a descriptor that takes nothing loses lines, not time", "[session][log]") {
  std::array<int, 2> pair{};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.data()) == 0);
  AccessLog log(pair[0]);
  const std::string long_target(100'000, 'a');
  for (int i = 0; i < 20; ++i) {
    log.add({kClient, "GET", long_target, 200, 1});
    log.flush();
  }
  close(pair[0]);
  close(pair[1]);
}
