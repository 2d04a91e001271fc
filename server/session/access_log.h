// Access log lines, collected during a batch and written to a descriptor at its end. By default
// they are Daphne's:
//   client ident user [local time] "METHOD target" status length
// and ` cut` behind it for a response that didn't get to its end.
// The descriptor is the owner's. A server doesn't stop for its log: see LineWriter.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/address.h"
#include "server/base/line_writer.h"
#include "server/session/access_log_format.h"

namespace cppasgi::session {

class AccessLog {
 public:
  // -1: no log. For `format` see AccessLogFormat. Requests for the paths in `excluded` get no line.
  explicit AccessLog(int fd, std::string_view format = "daphne",
                     std::vector<std::string> excluded = {},
                     std::chrono::milliseconds tell_time = std::chrono::minutes(1))
      : enabled_(fd >= 0),
        writer_(fd, tell_time),
        format_(format),
        excluded_(std::move(excluded)) {}

  bool enabled() const { return enabled_; }
  // Whether lines say more than Daphne's, such as how long an exchange took.
  bool wants_details() const { return enabled() && !format_.is_daphnes(); }
  void add(const AccessRecord& record);
  // Writes what was collected, or has it wait.
  void flush();
  // Writes it at the end of the server: a reader has a moment, then nothing waits any longer.
  void finish();
  // Forgets it instead.
  void discard() {
    lines_.clear();
    writer_.discard();
  }

  // Do lines wait, or is take_report() to be asked once more?
  bool is_behind() const { return writer_.waiting() || writer_.untold() != 0 || began_to_drop_; }
  // How many were left out so far.
  std::uint64_t dropped() const { return writer_.dropped(); }
  // What the operator is to hear now: that lines begin to be left out, and then, once a minute and
  // when that is over, how many were; empty for nothing.
  std::string take_report();

 private:
  bool excludes(std::string_view target) const;
  void add_daphnes(const AccessRecord& record, std::time_t now);
  void append_request(std::string_view method, std::string_view target);

  const bool enabled_;
  LineWriter writer_;
  AccessLogFormat format_;
  const std::vector<std::string> excluded_;
  std::string lines_;
  std::time_t formatted_ = -1;
  std::string time_text_;
  bool began_to_drop_ = false;  // and that was reported
};

}  // namespace cppasgi::session
