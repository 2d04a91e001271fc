// What a session needs around it, without loop and sockets: a clock that tests set, the lists of
// the batch, and an access log that can be read back. One batch is one call of finish_batch().
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/session/drivers/protocols.h"
#include "support/memory_stream.h"

namespace cppasgi::test {

// A file without a name, for the access log.
class MemoryFile {
 public:
  MemoryFile() : fd_(memfd_create("log", 0)) {}
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  int fd() const { return fd_; }
  std::string text() const {
    std::string text;
    std::array<char, 4096> block{};
    ssize_t size = 0;
    while ((size = pread(fd_, block.data(), block.size(), static_cast<off_t>(text.size()))) > 0) {
      text.append(block.data(), static_cast<std::size_t>(size));
    }
    return text;
  }

 private:
  int fd_;
};

// No default fields in responses, so that tests can write them out.
class FakeHost final : private MemoryFile, public session::SessionHost {
 public:
  explicit FakeHost(Application& app, const ServerOptions& server_options = {})
      : SessionHost(app, server_options, MemoryFile::fd()) {}
  ~FakeHost() {
    for (const auto& connection : connections_) connection->cut(session::Blame::Client);
    over_.clear();
    connections_.clear();
  }

  // A new connection, already reading.
  std::shared_ptr<Wire> connect(std::shared_ptr<Wire> wire = std::make_shared<Wire>()) {
    auto owned = std::make_unique<session::Connection>(*this, std::make_unique<MemoryStream>(wire));
    session::Connection& connection = *owned;
    connections_.push_back(std::move(owned));
    connection.start(proxy_protocol ? session::make_proxy_driver(*this, connection, protocols)
                                    : session::make_first_driver(*this, connection, protocols));
    return wire;
  }
  // The latest one; gone after the batch in which it ended.
  session::Connection& connection() { return *connections_.back(); }
  session::Driver& driver() { return connection().driver(); }
  std::size_t connections() const { return connections_.size(); }

  // What may be spoken besides HTTP/1.
  std::vector<session::Protocol> protocols;
  // Connections begin with a PROXY preamble.
  bool proxy_protocol = false;

  void finish_batch() {
    while (!to_resume_.empty()) {
      for (session::Connection* connection : std::exchange(to_resume_, {})) {
        connection->listed.to_resume = false;
        connection->resume();
      }
    }
    for (session::Connection* connection : std::exchange(to_flush_, {})) {
      connection->listed.to_flush = false;
      connection->flush();
    }
    for (session::Connection* connection : std::exchange(over_, {})) {
      std::erase_if(connections_, [&](const auto& owned) { return owned.get() == connection; });
    }
    access_log.flush();
  }

  // Sets the clock forward, and tells the sessions whose deadline is over, with a batch after it.
  void pass(std::chrono::milliseconds time) {
    now_ += time;
    for (const auto& connection : connections_) {
      if (connection->next_deadline() <= now_) connection->on_deadline(now_);
    }
    finish_batch();
  }

  void drain(ShutdownReason reason = ShutdownReason::Stop) {
    shutdown_reason = reason;
    for (const auto& connection : connections_) {
      if (connection->state() == session::Connection::State::Open) connection->driver().drain();
    }
    finish_batch();
  }

  // The access log without the time: one line per entry, as `client "request" status size`.
  std::string access() const {
    std::string text = MemoryFile::text();
    for (std::size_t at = 0; (at = text.find(" - - [", at)) != std::string::npos;) {
      text.erase(at, text.find(']', at) + 1 - at);
    }
    return text;
  }

  // The nearest time that any session announced; max() for none since the last call.
  std::chrono::milliseconds take_announced() {
    return std::exchange(announced_, std::chrono::milliseconds::max());
  }

  // --- SessionHost ---

  void flush_later(session::Connection& connection) override {
    if (!std::exchange(connection.listed.to_flush, true)) to_flush_.push_back(&connection);
  }
  void resume_later(session::Connection& connection) override {
    if (!std::exchange(connection.listed.to_resume, true)) to_resume_.push_back(&connection);
  }
  void remove_later(session::Connection& connection) override { over_.push_back(&connection); }
  void expect_deadline(std::chrono::milliseconds time) override {
    announced_ = std::min(announced_, time);
  }
  std::chrono::milliseconds now() const override { return now_; }
  http::DefaultFields default_fields() override {
    return {.date = {}, .server = {}, .others = options.headers};
  }

 private:
  std::vector<std::unique_ptr<session::Connection>> connections_;
  std::vector<session::Connection*> to_flush_;
  std::vector<session::Connection*> to_resume_;
  std::vector<session::Connection*> over_;
  std::chrono::milliseconds now_{1'000'000};
  std::chrono::milliseconds announced_ = std::chrono::milliseconds::max();
};

}  // namespace cppasgi::test
