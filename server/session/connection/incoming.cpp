#include "server/session/connection/incoming.h"

#include <utility>

#include "server/base/release.h"
#include "server/session/connection/connection.h"

namespace cppasgi::session {

using std::chrono::milliseconds;

namespace {

// A client that sends nothing more is half-closed, or gone: if it is gone, its kernel answers what
// it is sent with a reset. One that is sent nothing for so long counts as gone. While the
// application takes nothing, so that the client isn't read from, this is also how often the server
// looks whether it has ended.
constexpr milliseconds kHalfClosedGrace{2'000};

}  // namespace

void Incoming::start() {
  if (ended_ || connection_.state() == Connection::State::Over) return;
  reading_ = true;
  ended_unread_ = false;
  stream_.start_reading(*this);
}

void Incoming::on_read(std::span<char> bytes) {
  host_.metrics->received_bytes.add(bytes.size());
  receive(bytes);
}

void Incoming::receive(std::span<char> bytes) {
  if (connection_.state() != Connection::State::Open) return;
  if (kept_.empty()) bytes = bytes.subspan(connection_.driver().receive(bytes));
  // Bytes that are never taken tell a connection that ends that its client sends on.
  if (connection_.state() != Connection::State::Over) kept_.append(bytes.data(), bytes.size());
  stop_if_full();
}

void Incoming::resume() {
  if (kept_.empty()) return;
  std::string bytes = std::exchange(kept_, {});
  receive(bytes);
  taken();
  if (ended_) tell_end();
  if (!reading_) host_.expect_deadline(deadline());
}

bool Incoming::is_full() const {
  if (connection_.state() != Connection::State::Open) return false;  // what comes is discarded
  return kept_.size() > host_.options.incoming.high_bytes || connection_.driver().is_full();
}

void Incoming::stop_if_full() {
  if (!reading_ || !is_full()) return;
  reading_ = false;
  connection_.driver().on_reading(false);
  stream_.stop_reading();
  quiet_since_ = host_.now();
  host_.expect_deadline(deadline());
}

void Incoming::taken() {
  if (reading_ || is_full()) return;
  start();
  connection_.driver().on_reading(true);
}

void Incoming::discard() { release(kept_); }

void Incoming::on_end() {
  reading_ = false;
  ended_ = true;
  quiet_since_ = host_.now();
  host_.expect_deadline(deadline());
  tell_end();
}

void Incoming::tell_end() {
  if (connection_.state() == Connection::State::Lingering) {
    connection_.cut(Blame::Client);
  } else if (connection_.state() == Connection::State::Open) {
    connection_.driver().on_end(!kept_.empty());
  }
}

void Incoming::on_error(std::error_code) { connection_.cut(Blame::Client); }

void Incoming::on_written() {
  if (!reading_) quiet_since_ = host_.now();
  connection_.on_written();
}

void Incoming::note_sent() {
  if (!reading_) quiet_since_ = host_.now();
}

// While something is queued the client has to read on, or resets.
milliseconds Incoming::deadline() const {
  if (reading_ || connection_.state() != Connection::State::Open ||
      !connection_.driver().activity().awaits_application || stream_.queued_bytes() != 0) {
    return milliseconds::max();
  }
  return quiet_since_ + kHalfClosedGrace;
}

void Incoming::on_deadline(milliseconds now) {
  if (ended_ || ended_unread_) return connection_.cut(Blame::Client);
  ended_unread_ = stream_.has_ended();
  quiet_since_ = now;
}

}  // namespace cppasgi::session
