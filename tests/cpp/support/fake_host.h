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

#include "server/session/session.h"
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
    for (const auto& session : sessions_) session->cut();
    over_.clear();
    sessions_.clear();
  }

  // A new connection, already reading.
  std::shared_ptr<Wire> connect(std::shared_ptr<Wire> wire = std::make_shared<Wire>()) {
    auto session = std::make_unique<session::Session>(*this, std::make_unique<MemoryStream>(wire));
    sessions_.push_back(std::move(session));
    sessions_.back()->start();
    return wire;
  }
  // The session of the latest connection; gone after the batch in which it ended.
  session::Session& session() { return *sessions_.back(); }
  std::size_t sessions() const { return sessions_.size(); }

  void finish_batch() {
    while (!to_resume_.empty()) {
      for (session::Session* session : std::exchange(to_resume_, {})) session->resume();
    }
    for (session::Session* session : std::exchange(to_fail_, {})) session->finish_failure();
    for (session::Session* session : std::exchange(to_flush_, {})) session->flush();
    for (session::Session* session : std::exchange(over_, {})) {
      std::erase_if(sessions_, [session](const auto& owned) { return owned.get() == session; });
    }
    access_log.flush();
  }

  // Sets the clock forward, and tells the sessions whose deadline is over, with a batch after it.
  void pass(std::chrono::milliseconds time) {
    now_ += time;
    for (const auto& session : sessions_) {
      if (session->next_deadline() <= now_) session->on_deadline(now_);
    }
    finish_batch();
  }

  void drain(Departure reason = Departure::Stop) {
    departure = reason;
    for (const auto& session : sessions_) session->drain();
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

  void flush_later(session::Session& session) override {
    if (!std::exchange(session.flush_pending, true)) to_flush_.push_back(&session);
  }
  void fail_later(session::Session& session) override { to_fail_.push_back(&session); }
  void resume_later(session::Session& session) override {
    if (!std::exchange(session.resume_pending, true)) to_resume_.push_back(&session);
  }
  void remove_later(session::Session& session) override { over_.push_back(&session); }
  void expect_deadline(std::chrono::milliseconds time) override {
    announced_ = std::min(announced_, time);
  }
  std::chrono::milliseconds now() const override { return now_; }
  http::DefaultFields default_fields() override { return {}; }

 private:
  std::vector<std::unique_ptr<session::Session>> sessions_;
  std::vector<session::Session*> to_flush_;
  std::vector<session::Session*> to_resume_;
  std::vector<session::Session*> to_fail_;
  std::vector<session::Session*> over_;
  std::chrono::milliseconds now_{1'000'000};
  std::chrono::milliseconds announced_ = std::chrono::milliseconds::max();
};

}  // namespace cppasgi::test
