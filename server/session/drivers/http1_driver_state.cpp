// What an HTTP/1 connection is busy with and waits for, and what it does when that takes too long.
// The server asks for the next deadline and has one timer for all; nothing here runs per request
// but a comparison.
#include "server/session/drivers/http1_driver.h"

namespace cppasgi::session {

using std::chrono::milliseconds;

namespace {

// How long a connection without a request may take to send one while the server drains. Before a
// restart it is longer, as it costs nobody anything.
constexpr milliseconds kStopGrace{1'000};
constexpr milliseconds kRestartGrace{5'000};

milliseconds drain_grace(ShutdownReason reason) {
  return reason == ShutdownReason::Restart ? kRestartGrace : kStopGrace;
}

}  // namespace

Activity Http1Driver::activity() const {
  Activity activity;
  switch (phase_) {
    case Phase::Idle:
    case Phase::Head:
    case Phase::Over:
      activity.idle_since = since_;
      break;
    case Phase::Exchange:
      activity.client_returns = !exchange_.file().is_open() && protocol_.sends_events();
      activity.awaits_application = activity.answers_soon = true;
      ++(activity.client_returns ? activity.in_progress.event_streams
                                 : activity.in_progress.responses);
      break;
    case Phase::Handshake:
      activity.awaits_application = handshake_->is_connecting();
      activity.in_progress.websockets = 1;
      break;
  }
  return activity;
}

void Http1Driver::log(std::string_view what) const {
  if (handshake_ != nullptr) return handshake_->log(what);
  host_.log(what, &transport_.connection().client);
}

// A client that the application keeps waiting owes nothing.
bool Http1Driver::client_owes_content() const {
  return !request_complete_ && connection_.reads() && !protocol_.expects_continue();
}

milliseconds Http1Driver::next_deadline() const {
  const Timeouts& timeouts = host_.options.timeouts;
  switch (phase_) {
    case Phase::Idle:
      if (host_.shutdown_reason) return since_ + drain_grace(*host_.shutdown_reason);
      return deadline_after(since_, requests_ == 0 ? timeouts.request_head : timeouts.keep_alive);
    case Phase::Head:
      return deadline_after(since_, host_.shutdown_reason ? drain_grace(*host_.shutdown_reason)
                                                          : timeouts.request_head);
    case Phase::Exchange:
      if (client_owes_content()) return deadline_after(since_, timeouts.request_content);
      if (protocol_.response_started() || !(request_complete_ || protocol_.expects_continue())) {
        break;
      }
      return deadline_after(since_, timeouts.response_start);
    case Phase::Handshake:
      return handshake_->next_deadline();
    case Phase::Over:
      break;
  }
  return milliseconds::max();
}

void Http1Driver::on_deadline(milliseconds now) {
  switch (phase_) {
    case Phase::Idle:
      // A slow client may take longer than that for a large response, as long as it reads on.
      if (connection_.unsent_bytes() != 0) {
        since_ = now;
        break;
      }
      if (!host_.draining()) {
        host_.metrics->count(requests_ == 0 ? Limit::TimeoutRequestHeader
                                            : Limit::TimeoutKeepAlive);
      }
      connection_.cut(Blame::Client);
      break;
    case Phase::Head:
      host_.metrics->count(Limit::TimeoutRequestHeader);
      refuse_request({408, "Request head took too long"});
      break;
    case Phase::Exchange:
      if (client_owes_content()) {
        host_.metrics->count(Limit::TimeoutRequestBody);
        refuse_request({408, "Request content took too long"});
      } else {
        log("the application did not respond in time");
        host_.metrics->count(Limit::HttpTimeout);
        refuse(503, "Application failed to respond within time limit.");
      }
      break;
    case Phase::Handshake:
      handshake_->on_deadline();
      break;
    case Phase::Over:
      break;
  }
}

}  // namespace cppasgi::session
