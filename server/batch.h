// The work that connections put off to the end of a batch, and when it is done. A batch is what one
// tick of the loop has brought; all responses to it leave together. Loop thread only.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "server/net/event_loop.h"
#include "server/session/connection/connection.h"

namespace cppasgi {

class Batch {
 public:
  // `loop` must outlive the batch.
  explicit Batch(net::EventLoop& loop) : loop_(loop) {}

  // --- by connections (see session::ConnectionHost) ---

  void flush_later(session::Connection& connection);
  void resume_later(session::Connection& connection);
  void remove_later(session::Connection& connection);

  // --- by the server ---

  // Called when something was put off outside of a batch, once until the next end().
  void set_hook(std::function<void()> hook) { hook_ = std::move(hook); }
  void resume_all();
  // Flushes all but those whose flush waits for a response that comes soon.
  void flush_all();
  // Calls `remove` for each connection that is over, and forgets it. Only then may it die: its own
  // callbacks may be on the stack when it ends.
  void remove_over(const std::function<void(session::Connection&)>& remove);
  std::size_t over() const { return over_.size(); }
  // What this batch put off is done. Returns whether there was anything to send or to remove.
  bool end() {
    hook_called_ = false;
    return std::exchange(worked_, false);
  }
  // Forgets all work, but not who is over.
  void clear();

  // One more turn is over for those whose flush waits (see Server::end_turn).
  void end_turn();
  bool flush_waits() const { return !waiting_.empty(); }

 private:
  static void let_flush_wait(session::Connection& connection);
  void call_hook();

  net::EventLoop& loop_;
  std::function<void()> hook_;
  std::vector<session::Connection*> to_flush_;
  std::vector<session::Connection*> waiting_;  // to be flushed some turns later
  std::vector<session::Connection*> to_resume_;
  std::vector<session::Connection*> resuming_;
  std::vector<session::Connection*> over_;
  std::chrono::steady_clock::time_point began_;
  bool flushing_ = false;
  bool hook_called_ = false;
  bool worked_ = false;
};

}  // namespace cppasgi
