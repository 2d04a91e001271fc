// What a session sends: when bytes leave, and when the application has to wait until they do.
#include "server/session/session.h"

namespace cppasgi::session {

using std::chrono::milliseconds;

std::size_t Session::unsent_bytes() const {
  auto& self = const_cast<Session&>(*this);
  return stream_->queued_bytes() + self.http_.bytes_to_send().size() +
         (websocket_ == nullptr ? 0 : websocket_->bytes_to_send().size());
}

void Session::flush_later() {
  if (phase_ == Phase::Over) return;
  host_.flush_later(*this);
}

void Session::flush() {
  flush_pending = false;
  send_unsent();
}

void Session::send_unsent() {
  if (phase_ == Phase::Over) return;
  write_out();
  if (late_ != nullptr && unsent_bytes() <= unsent_marks().low_bytes) log_late(Ending::Whole);
  if (unsent_bytes() == 0) {
    finish_sending();
  } else {
    watch_reader();
  }
}

void Session::write_out() {
  OutputBuffer& http = http_.bytes_to_send();
  if (websocket_ == nullptr) return write_or_end(http);
  write(http);
  if (http.empty()) write_or_end(websocket_->bytes_to_send());
}

void Session::write(OutputBuffer& buffer, std::string_view tail) {
  const std::size_t before = buffer.size() + tail.size();
  stream_->write(buffer, tail);
  note_sent(before - buffer.size());
}

void Session::write_or_end(OutputBuffer& buffer) {
  if (phase_ != Phase::Closing) return write(buffer);
  const std::size_t before = buffer.size();
  stream_->end(buffer);
  note_sent(before - buffer.size());
}

void Session::note_sent(std::size_t bytes) {
  host_.metrics->sent_bytes.add(bytes);
  if (!reading_ && bytes != 0) ended_or_sent_ = host_.now();
}

void Session::send_after(std::string_view payload) {
  if (!payload.empty()) {
    OutputBuffer& http = http_.bytes_to_send();
    if (websocket_ != nullptr) write(http);
    write(websocket_ != nullptr ? websocket_->bytes_to_send() : http, payload);
  }
  flush_later();
}

// A batch only holds bytes back: before anybody waits for them to leave, the kernel is asked. So no
// means that some are queued, and on_written will come.
bool Session::writable() {
  const std::size_t high = unsent_marks().high_bytes;
  if (unsent_bytes() > high) write_out();
  if (unsent_bytes() <= high) return true;
  sending_paused_ = true;
  return false;
}

Watermarks Session::unsent_marks() const {
  if (websocket_ == nullptr) return host_.options.outgoing;
  const std::size_t high = host_.options.websocket.max_unsent_bytes;
  return {high, high / 2};
}

bool Session::send_file(FileSlice& file) {
  write_out();  // what comes before it
  if (unsent_bytes() == 0 && file.size() != 0) {
    const std::uint64_t before = file.size();
    const bool sent = stream_->send_file(file);
    note_sent(before - file.size());
    if (!sent) {
      log("a file that is being sent can't be read or has become shorter");
      cut(Blame::Server);
      return false;
    }
  }
  watch_reader();
  return file.size() == 0 && unsent_bytes() == 0;
}

void Session::on_written() {
  queued_since_ = milliseconds::max();
  if (!reading_) ended_or_sent_ = host_.now();
  send_unsent();
  expect_deadline(presence_deadline());
  if (exchange_.sends_file()) exchange_.resume_file();
  if (!sending_paused_ || unsent_bytes() > unsent_marks().low_bytes) return;
  sending_paused_ = false;
  exchange_.resume_sending();
  if (websocket_ != nullptr) websocket_->resume_sending();
  if (!waiting_input_.empty()) host_.resume_later(*this);
  content_taken();
}

}  // namespace cppasgi::session
