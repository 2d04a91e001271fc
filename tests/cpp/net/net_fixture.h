// What tests of listeners and streams share: an observer that records, and a loop that runs until
// something is so.
#pragma once

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include "server/net/event_loop.h"
#include "server/net/stream.h"
#include "server/net/uv_listener.h"

namespace cppasgi::test {

struct Recorder final : net::StreamObserver {
  std::string read;
  int ends = 0;
  int written = 0;
  std::optional<std::error_code> error;
  std::function<void()> after_read = [] {};

  void on_read(std::span<char> bytes) override {
    read.append(bytes.data(), bytes.size());
    after_read();
  }
  void on_end() override { ++ends; }
  void on_error(std::error_code code) override { error = code; }
  void on_written() override { ++written; }
};

// Runs the loop until `done()`; false after some seconds.
template <typename Done>
bool run_until(net::EventLoop& loop, Done&& done) {
  bool late = false;
  net::Timer patience(loop, [&late] { late = true; });
  patience.start(std::chrono::seconds(20));
  while (!done() && !late) loop.run_once();
  return done();
}

// A file name in a new folder of its own, which goes with the object.
class SocketPath {
 public:
  SocketPath() {
    char folder[] = "/tmp/cppasgi-test-XXXXXX";
    folder_ = mkdtemp(folder);
  }
  ~SocketPath() {
    unlink(text().c_str());
    rmdir(folder_.c_str());
  }
  SocketPath(const SocketPath&) = delete;
  SocketPath& operator=(const SocketPath&) = delete;

  std::string text() const { return folder_ + "/socket"; }

 private:
  std::string folder_;
};

}  // namespace cppasgi::test
