#include "server/session/connection/outgoing.h"

#include <cstdint>

namespace cppasgi::session {

using std::chrono::milliseconds;

std::size_t Outgoing::write(OutputBuffer& buffer, std::string_view tail) {
  const std::size_t before = buffer.size() + tail.size();
  stream_.write(buffer, tail);
  const std::size_t taken = before - buffer.size();
  host_.metrics->sent_bytes.add(taken);
  return taken;
}

std::size_t Outgoing::end(OutputBuffer& buffer) {
  const std::size_t before = buffer.size();
  stream_.end(buffer);
  const std::size_t taken = before - buffer.size();
  host_.metrics->sent_bytes.add(taken);
  return taken;
}

bool Outgoing::send_file(FileSlice& file) {
  const std::uint64_t before = file.size();
  const bool readable = stream_.send_file(file);
  host_.metrics->sent_bytes.add(before - file.size());
  return readable;
}

std::size_t Outgoing::missing_bytes() const {
  return queued_since_ == kNothing ? 0 : queued_bytes_;
}

// What is queued doesn't grow until all of it has left.
void Outgoing::watch_client() {
  const std::size_t queued = stream_.queued_bytes();
  if (queued == 0 || queued_since_ != kNothing) return;
  queued_since_ = host_.now();
  queued_bytes_ = queued;
  host_.expect_deadline(deadline());
}

bool Outgoing::client_reads_on(milliseconds now) {
  if (queued_since_ == kNothing) return false;
  const std::size_t queued = stream_.queued_bytes();
  if (queued >= queued_bytes_) return false;
  queued_since_ = now;
  queued_bytes_ = queued;
  return true;
}

milliseconds Outgoing::deadline() const {
  if (queued_since_ == kNothing) return kNothing;
  return deadline_after(queued_since_, host_.options.timeouts.send);
}

}  // namespace cppasgi::session
