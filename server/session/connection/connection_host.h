// What a connection needs of the server around it: values that it shares with all others, and lists
// of the work that it puts off to the end of the batch (server/batch.h).
#pragma once

#include <chrono>
#include <string_view>

#include "server/base/address.h"
#include "server/metrics.h"
#include "server/options.h"

namespace cppasgi::session {

class Connection;

// When `delay` after `since` is over; max(), never, for a delay of 0 and one without end.
inline std::chrono::milliseconds deadline_after(std::chrono::milliseconds since,
                                                std::chrono::milliseconds delay) {
  constexpr auto kNever = std::chrono::milliseconds::max();
  return delay.count() == 0 || delay > kNever - since ? kNever : since + delay;
}

class ConnectionHost {
 public:
  explicit ConnectionHost(const ServerOptions& options_in)
      : options(options_in), metrics(options_in.metrics_fd, options_in.metrics_index) {}

  const ServerOptions options;
  MetricsBlock metrics;

  // Each does its work once in a batch and connection, however often it is called.
  virtual void flush_later(Connection& connection) = 0;   // it has bytes to send
  virtual void resume_later(Connection& connection) = 0;  // its driver has asked for resume()
  virtual void remove_later(Connection& connection) = 0;  // it is over

  // Somebody has a deadline at `time`; max() is none. One that is later than another needn't be
  // told.
  virtual void expect_deadline(std::chrono::milliseconds time) = 0;
  virtual std::chrono::milliseconds now() const = 0;

  // Writes a line for the operator, about a client if one is given, unless it is one too many like
  // it. `what` is a static text.
  virtual void log(std::string_view what, const Address* client) = 0;

 protected:
  ~ConnectionHost() = default;
};

}  // namespace cppasgi::session
