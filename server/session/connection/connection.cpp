#include "server/session/connection/connection.h"

#include <algorithm>
#include <utility>

namespace cppasgi::session {

using std::chrono::milliseconds;

namespace {

// How long a client may take to read the last bytes and close.
constexpr milliseconds kLingerTime{2'000};

}  // namespace

Connection::Connection(ConnectionHost& host, std::unique_ptr<net::Stream> stream)
    : info{stream->peer(), stream->local()},
      host_(host),
      stream_(std::move(stream)),
      incoming_(host, *this, *stream_),
      outgoing_(host, *stream_) {
  host_.metrics->connections.add();
}

Connection::~Connection() { host_.metrics->connections.subtract(); }

void Connection::start(std::unique_ptr<Driver> driver, bool refused) {
  driver_ = std::move(driver);
  incoming_.start();
  host_.expect_deadline(next_deadline());
  if (refused) {
    driver_->refuse();
  } else {
    stream_->read_waiting();
  }
}

void Connection::replace_driver(std::unique_ptr<Driver> driver, std::string_view unread) {
  driver->bytes_to_send().swap(driver_->bytes_to_send());
  replaced_ = std::exchange(driver_, std::move(driver));
  incoming_.prepend(unread);
  if (const std::size_t most = driver_->bounds.most_bytes; most != 0) stream_->bound_reads(most);
  host_.expect_deadline(next_deadline());
  resume_later();
}

void Connection::resume() {
  replaced_.reset();
  if (state_ != State::Open) return;
  driver_->resume();
  incoming_.resume();
}

// --- output ---

std::size_t Connection::unsent_bytes() const {
  return outgoing_.queued_bytes() + driver_->bytes_to_send().size();
}

void Connection::flush_later() {
  if (state_ != State::Over) host_.flush_later(*this);
}

void Connection::flush() {
  if (state_ == State::Over) return;
  write_out();
  if (unsent_bytes() != 0) {
    outgoing_.watch_client();
  } else if (state_ == State::Closing) {
    // Closing with unread input would send a reset, which may overtake the last bytes (RFC 9112
    // 9.6).
    const bool client_may_send = driver_->client_may_send() || !incoming_.empty();
    incoming_.discard();
    enter(client_may_send && !incoming_.has_ended() ? State::Lingering : State::Over);
  }
}

// `tail` comes behind what the driver has.
void Connection::write_out(std::string_view tail) {
  OutputBuffer& bytes = driver_->bytes_to_send();
  const bool last = state_ == State::Closing;
  if (last) bytes.append(tail);
  const std::size_t taken = last ? outgoing_.end(bytes) : outgoing_.write(bytes, tail);
  if (taken != 0) incoming_.note_sent();
}

void Connection::send_after(std::string_view payload) {
  if (!payload.empty()) write_out(payload);
  flush_later();
}

// A batch only holds bytes back: before anybody waits for them to leave, the kernel is asked. So
// false means that some are queued, and on_written() will come.
bool Connection::poll_writable() {
  const std::size_t high = driver_->bounds.unsent.high_bytes;
  if (unsent_bytes() > high) write_out();
  if (unsent_bytes() <= high) return true;
  driver_waits_ = true;
  return false;
}

bool Connection::send_file(FileSlice& file) {
  write_out();  // what comes before it
  const std::uint64_t before = file.size();
  if (unsent_bytes() == 0 && before != 0 && !outgoing_.send_file(file)) {
    driver_->log("a file that is being sent can't be read or has become shorter");
    cut(Blame::Server);
    return false;
  }
  if (file.size() != before) incoming_.note_sent();
  outgoing_.watch_client();
  if (file.size() == 0 && unsent_bytes() == 0) return true;
  driver_waits_ = true;
  return false;
}

void Connection::on_written() {
  outgoing_.on_written();
  flush();
  host_.expect_deadline(incoming_.deadline());
  if (!driver_waits_ || unsent_bytes() > driver_->bounds.unsent.low_bytes) return;
  driver_waits_ = false;
  driver_->on_writable();
  if (!incoming_.empty()) resume_later();
  incoming_.taken();
}

// --- ends ---

void Connection::end() {
  if (state_ != State::Open) return;
  enter(State::Closing);
  incoming_.taken();  // a client that can't send on may never come to reading
  flush_later();
}

void Connection::cut(Blame blame) {
  if (state_ == State::Over) return;
  const bool unsent = unsent_bytes() != 0;
  enter(State::Over);
  if (driver_->disconnect(blame) || unsent) stream_->reset_on_close();
}

void Connection::enter(State state) {
  state_ = state;
  since_ = host_.now();
  if (state == State::Over) {
    stream_->stop_reading();
    host_.remove_later(*this);
  } else {
    host_.expect_deadline(next_deadline());
  }
}

// --- time ---

milliseconds Connection::next_deadline() const {
  const milliseconds reading = outgoing_.deadline();
  switch (state_) {
    case State::Open:
      return std::min({reading, incoming_.deadline(), driver_->next_deadline()});
    case State::Closing:  // as long as the client reads on
      return reading;
    case State::Lingering:
      return since_ + kLingerTime;
    case State::Over:
      break;
  }
  return milliseconds::max();
}

void Connection::on_deadline(milliseconds now) {
  if (outgoing_.deadline() <= now && !outgoing_.client_reads_on(now)) {
    driver_->log("the client does not read what is sent to it");
    host_.metrics->count(Limit::TimeoutSend);
    cut(Blame::Client);
  } else if (incoming_.deadline() <= now) {
    incoming_.on_deadline(now);
  } else if (state_ == State::Lingering) {
    cut(Blame::Client);
  } else if (state_ == State::Open && driver_->next_deadline() <= now) {
    driver_->on_deadline(now);
  }
}

}  // namespace cppasgi::session
