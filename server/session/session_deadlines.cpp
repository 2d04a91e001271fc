// What a session waits for, and what it does when that takes too long. The server asks for the next
// deadline and has one timer for all; nothing here runs per request but a comparison.
#include <algorithm>

#include "server/session/session.h"

namespace cppasgi::session {

using std::chrono::milliseconds;

namespace {

// How long a client may take to read a last response and close, and a connection without a request
// to send one while draining: before a restart longer, as it costs nobody anything.
constexpr milliseconds kLingerTime{2'000};
constexpr milliseconds kStopGrace{1'000};
constexpr milliseconds kRestartGrace{5'000};

// A client that sends nothing more is half-closed, or gone: then its kernel answers what it is sent
// with a reset. One that is sent nothing for so long counts as gone. So often it is looked whether
// one has ended that isn't read from, as the application takes nothing.
constexpr milliseconds kHalfClosedGrace{2'000};

milliseconds drain_grace(Departure departure) {
  return departure == Departure::Restart ? kRestartGrace : kStopGrace;
}

}  // namespace

void Session::expect_deadline(milliseconds time) {
  if (time != milliseconds::max()) host_.expect_deadline(time);
}

milliseconds Session::next_deadline() const {
  return std::min({phase_deadline(), reader_deadline(), presence_deadline()});
}

void Session::on_deadline(milliseconds now) {
  if (reader_deadline() <= now && !client_reads_on(now)) {
    log("the client does not read what is sent to it");
    host_.metrics->count(Limit::TimeoutSend);
    cut();
  } else if (presence_deadline() <= now) {
    look_for_client(now);
  } else if (phase_deadline() <= now) {
    on_phase_deadline(now);
  }
}

// --- of the phase ---

milliseconds Session::phase_deadline() const {
  const Timeouts& timeouts = host_.options.timeouts;
  switch (phase_) {
    case Phase::Idle:
      if (host_.departure) return since_ + drain_grace(*host_.departure);
      return deadline_after(since_, requests_ == 0 ? timeouts.request_head : timeouts.keep_alive);
    case Phase::Head:
      return deadline_after(
          since_, host_.departure ? drain_grace(*host_.departure) : timeouts.request_head);
    case Phase::Exchange:
      if (client_owes_content()) return deadline_after(since_, timeouts.request_content);
      if (http_.response_started() || !(request_complete_ || http_.expects_continue())) break;
      return deadline_after(since_, timeouts.response_start);
    case Phase::WebSocket:
      return websocket_->next_deadline();
    case Phase::Lingering:
      return since_ + kLingerTime;
    case Phase::Closing:  // as long as it reads on
    case Phase::Over:
      break;
  }
  return milliseconds::max();
}

void Session::on_phase_deadline(milliseconds now) {
  switch (phase_) {
    case Phase::Idle:
      // A slow client may take longer than that for a large response, as long as it reads on.
      if (stream_->queued_bytes() == 0) {
        if (!host_.draining()) {
          host_.metrics->count(requests_ == 0 ? Limit::TimeoutRequestHeader
                                              : Limit::TimeoutKeepAlive);
        }
        cut();
      } else {
        since_ = now;
      }
      break;
    case Phase::Head:
      host_.metrics->count(Limit::TimeoutRequestHeader);
      handle(http1::ProtocolError{408, "Request head took too long"});
      break;
    case Phase::Exchange:
      if (client_owes_content()) {
        host_.metrics->count(Limit::TimeoutRequestBody);
        handle(http1::ProtocolError{408, "Request content took too long"});
      } else {
        log("the application did not respond in time");
        host_.metrics->count(Limit::HttpTimeout);
        refuse(503, "Application failed to respond within time limit.");
      }
      break;
    case Phase::WebSocket:
      websocket_->on_deadline(now);
      break;
    case Phase::Lingering:
      cut();
      break;
    case Phase::Closing:
    case Phase::Over:
      break;
  }
}

// Not while the application keeps it waiting.
bool Session::client_owes_content() const {
  return !request_complete_ && reading_ && !http_.expects_continue();
}

void Session::expect_content() {
  if (websocket_ != nullptr) websocket_->expect_message();
  if (phase_ != Phase::Exchange || request_complete_) return;
  since_ = host_.now();
  expect_deadline(phase_deadline());
}

// --- of a client that has something to read ---

// Only what is queued in the stream waits for the client; the rest waits for the batch's end.
void Session::watch_reader() {
  const std::size_t queued = stream_->queued_bytes();
  if (queued == 0 || queued_since_ != milliseconds::max()) return;
  queued_since_ = host_.now();
  queued_bytes_ = queued;
  expect_deadline(reader_deadline());
}

milliseconds Session::reader_deadline() const {
  if (queued_since_ == milliseconds::max()) return queued_since_;
  return deadline_after(queued_since_, host_.options.timeouts.send);
}

// While something is queued the client has to read on, or resets. An open WebSocket isn't looked
// at: the messages that wait unread are still for the application, and pings tell whether it lives.
milliseconds Session::presence_deadline() const {
  const bool is_answered =
      phase_ == Phase::Exchange || (phase_ == Phase::WebSocket && websocket_->is_connecting());
  if (reading_ || !is_answered || stream_->queued_bytes() != 0) return milliseconds::max();
  return ended_or_sent_ + kHalfClosedGrace;
}

void Session::look_for_client(milliseconds now) {
  if (client_ended_ || ended_unread_) return cut();
  ended_unread_ = stream_->has_ended();
  ended_or_sent_ = now;
}

// What is queued doesn't grow until all of it has left.
bool Session::client_reads_on(milliseconds now) {
  if (queued_since_ == milliseconds::max()) return false;
  const std::size_t queued = stream_->queued_bytes();
  if (queued >= queued_bytes_) return false;
  queued_since_ = now;
  queued_bytes_ = queued;
  return true;
}

}  // namespace cppasgi::session
