// Access log lines, collected during a batch and written to a descriptor at its end. By default
// they are Daphne's:
//   client ident user [local time] "METHOD target" status length
// The descriptor is the owner's; a write that fails drops its lines, a server doesn't stop for its
// log.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "server/base/address.h"
#include "server/session/access_log_format.h"

namespace cppasgi::session {

class AccessLog {
 public:
  // -1: no log. For `format` see AccessLogFormat.
  explicit AccessLog(int fd, std::string_view format = "daphne") : fd_(fd), format_(format) {}

  bool enabled() const { return fd_ >= 0; }
  // Whether lines say more than Daphne's, such as how long an exchange took.
  bool wants_details() const { return enabled() && !format_.is_daphnes(); }
  void add(const AccessRecord& record);
  // Writes what was collected.
  void flush();
  // Forgets it instead.
  void discard() { lines_.clear(); }

 private:
  void add_daphnes(const AccessRecord& record, std::time_t now);
  void append_request(std::string_view method, std::string_view target);

  const int fd_;
  AccessLogFormat format_;
  std::string lines_;
  std::time_t formatted_ = -1;
  std::string time_text_;
};

}  // namespace cppasgi::session
