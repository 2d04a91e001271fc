#include "server/batch.h"

#include <cstddef>
#include <cstdint>
#include <utility>

namespace cppasgi {

using session::Connection;

namespace {

// A batch is written early when it grows beyond these: nobody's response should wait long for its
// neighbours'. But each write alone wakes a client that has gone to sleep again, which costs the
// kernel half as much again: an application that takes 150 us needs some responses to a batch.
constexpr std::size_t kMaxConnections = 64;
constexpr std::size_t kMaxBytes = 64 * 1024;
constexpr std::chrono::milliseconds kMaxTime{1};

// A pipelined request may begin in one turn of the loop and take its first step in the next. Each
// such request is a turn, which the first of the responses waits for.
constexpr std::uint8_t kMostTurns = 2;
constexpr std::uint8_t kMostWaits = 15;

}  // namespace

void Batch::flush_later(Connection& connection) {
  if (!std::exchange(connection.listed.to_flush, true)) {
    if (to_flush_.empty()) began_ = std::chrono::steady_clock::now();
    to_flush_.push_back(&connection);
    worked_ = true;
    call_hook();
  }
  if (flushing_) return;
  if (to_flush_.size() > kMaxConnections || connection.unsent_bytes() > kMaxBytes ||
      (to_flush_.size() > 1 && std::chrono::steady_clock::now() - began_ > kMaxTime)) {
    flush_all();
  }
}

void Batch::resume_later(Connection& connection) {
  if (std::exchange(connection.listed.to_resume, true)) return;
  to_resume_.push_back(&connection);
  call_hook();
}

void Batch::remove_later(Connection& connection) {
  over_.push_back(&connection);
  worked_ = true;
  call_hook();
}

void Batch::resume_all() {
  if (to_resume_.empty()) return;
  const net::EventLoop::Standstill standstill(loop_);
  while (!to_resume_.empty()) {
    resuming_.swap(to_resume_);
    for (Connection* connection : resuming_) {
      connection->listed.to_resume = false;
      connection->resume();
      let_flush_wait(*connection);
    }
    resuming_.clear();
  }
}

// What it is to send waits for the response to the request that has begun behind it.
void Batch::let_flush_wait(Connection& connection) {
  Connection::Listed& listed = connection.listed;
  if (!listed.to_flush || !connection.driver().activity().answers_soon) return;
  listed.turns_to_wait = listed.times_waited == kMostWaits ? 0 : kMostTurns;
  if (listed.turns_to_wait != 0) ++listed.times_waited;
}

void Batch::flush_all() {
  flushing_ = true;
  for (std::size_t i = 0; i < to_flush_.size(); ++i) {
    Connection& connection = *to_flush_[i];
    Connection::Listed& listed = connection.listed;
    if (listed.turns_to_wait != 0 && connection.driver().activity().answers_soon) {
      waiting_.push_back(&connection);
    } else {
      listed.turns_to_wait = 0;
      listed.times_waited = 0;
      listed.to_flush = false;
      connection.flush();
    }
  }
  to_flush_.clear();
  flushing_ = false;
}

void Batch::end_turn() {
  std::erase_if(waiting_, [this](Connection* connection) {
    std::uint8_t& turns = connection->listed.turns_to_wait;
    if (turns != 0) --turns;
    if (turns != 0 && connection->driver().activity().answers_soon) return false;
    to_flush_.push_back(connection);
    return true;
  });
}

void Batch::remove_over(const std::function<void(Connection&)>& remove) {
  for (Connection* connection : over_) {
    if (connection->listed.to_flush) std::erase(waiting_, connection);
    remove(*connection);
  }
  over_.clear();
}

void Batch::clear() {
  to_flush_.clear();
  waiting_.clear();
  to_resume_.clear();
  resuming_.clear();
}

void Batch::call_hook() {
  if (hook_called_ || !hook_) return;
  hook_called_ = true;
  hook_();
}

}  // namespace cppasgi
