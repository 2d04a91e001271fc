// The request parser and its rules: runs the cases of tests/data/http1/*.md, a request stream and
// the events it must give, at every split.
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "support/catch.h"
#include "support/http1_log.h"

namespace {

using cppasgi::test::escape;

struct Case {
  std::string title;
  std::string input;
  std::string log;
};

std::string unescape(const std::string& line) {
  std::string bytes;
  for (std::size_t index = 0; index < line.size(); ++index) {
    if (line[index] != '\\') {
      bytes += line[index];
      continue;
    }
    if (++index == line.size()) return bytes;  // no end of line
    switch (line[index]) {
      case 'r':
        bytes += '\r';
        break;
      case 'n':
        bytes += '\n';
        break;
      case 't':
        bytes += '\t';
        break;
      case 'x':
        bytes += static_cast<char>(std::stoi(line.substr(index + 1, 2), nullptr, 16));
        index += 2;
        break;
      default:
        bytes += line[index];
        break;
    }
  }
  return bytes + "\r\n";
}

std::vector<Case> read_cases(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<Case> cases;
  enum { Text, Input, Log } block = Text;
  for (std::string line; std::getline(file, line);) {
    if (block == Text && line.starts_with("## ")) {
      cases.push_back({line.substr(3), "", ""});
    } else if (line == "```http") {
      block = Input;
    } else if (line == "```log") {
      block = Log;
    } else if (line == "```") {
      block = Text;
    } else if (block == Input) {
      cases.back().input += unescape(line);
    } else if (block == Log && !line.empty()) {
      cases.back().log += line + "\n";
    }
  }
  return cases;
}

void run_file(const char* name) {
  const std::vector<Case> cases =
      read_cases(std::filesystem::path(CPPASGI_TEST_DATA) / "http1" / name);
  REQUIRE(cases.size() > 10);
  std::set<std::string> titles;
  const cppasgi::HttpLimits limits;
  for (const Case& item : cases) {
    INFO(name << ": " << item.title << "\n" << escape(item.input));
    CHECK(titles.insert(item.title).second);
    bool failed = false;  // one report a case is enough
    cppasgi::test::for_every_split(item.input, [&](const cppasgi::test::Pieces& pieces) {
      if (failed) return;
      const std::string log = cppasgi::test::log_requests(pieces, limits);
      failed = log != item.log;
      CAPTURE(pieces.size(), pieces.front().size());
      CHECK(log == item.log);
    });
  }
}

}  // namespace

TEST_CASE("Http1Protocol: request lines (RFC 9112 3)", "[http1][literate]") {
  run_file("request_line.md");
}
TEST_CASE("Http1Protocol: field lines (RFC 9112 5)", "[http1][literate]") { run_file("fields.md"); }
TEST_CASE("Http1Protocol: length of content (RFC 9112 6)", "[http1][literate][smuggling]") {
  run_file("framing.md");
}
TEST_CASE("Http1Protocol: chunked content (RFC 9112 7.1)", "[http1][literate][smuggling]") {
  run_file("chunked.md");
}
TEST_CASE("Http1Protocol: connection management (RFC 9112 9)", "[http1][literate]") {
  run_file("connection.md");
}
