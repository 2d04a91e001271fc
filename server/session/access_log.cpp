#include "server/session/access_log.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "server/base/log_text.h"

namespace cppasgi::session {

namespace {

// What a reader gets at the end of the server.
constexpr std::chrono::milliseconds kEndTime{200};

}  // namespace

void AccessLog::add(const AccessRecord& record) {
  if (!enabled() || excludes(record.target)) return;
  const std::time_t now = std::time(nullptr);
  if (format_.is_daphnes()) {
    add_daphnes(record, now);
  } else {
    format_.append(lines_, record, now);
  }
}

bool AccessLog::excludes(std::string_view target) const {
  if (excluded_.empty()) return false;
  const std::string_view path = target.substr(0, target.find('?'));
  return std::find(excluded_.begin(), excluded_.end(), path) != excluded_.end();
}

void AccessLog::flush() {
  if (lines_.empty()) return writer_.flush();
  writer_.write(lines_);
  lines_.clear();
}

void AccessLog::finish() {
  flush();
  writer_.finish(kEndTime);
}

std::string AccessLog::take_report() {
  if (const std::uint64_t lines = writer_.take_untold(); lines != 0) {
    began_to_drop_ = writer_.waiting();
    return "Access log lines left out, as they could not be written: " + std::to_string(lines);
  }
  if (!writer_.waiting() && writer_.untold() == 0) began_to_drop_ = false;
  if (writer_.untold() == 0 || std::exchange(began_to_drop_, true)) return {};
  const int error = writer_.error();
  const bool is_unread = error == EAGAIN || error == EPIPE;
  return "The access log can't be written, so lines are left out: " +
         (is_unread ? "nobody reads it" : std::generic_category().message(error));
}

void AccessLog::add_daphnes(const AccessRecord& record, std::time_t now) {
  if (now != formatted_) {
    std::array<char, 64> text{};
    std::tm local{};
    localtime_r(&now, &local);
    time_text_.assign(text.data(),
                      std::strftime(text.data(), text.size(), " - - [%d/%b/%Y:%H:%M:%S] ", &local));
    formatted_ = now;
  }
  if (record.client.family == Address::Family::Unix) {
    lines_ += "None";
  } else {
    lines_ += record.client.host;
    lines_ += ':';
    lines_ += std::to_string(record.client.port);
  }
  lines_ += time_text_;
  append_request(record.method, record.target);
  if (record.status == 0) {
    lines_ += " - -\n";
    return;
  }
  lines_ += ' ';
  lines_ += std::to_string(record.status);
  lines_ += ' ';
  lines_ += record.content_bytes == 0 ? "-" : std::to_string(record.content_bytes);
  lines_ += record.ending == Ending::Cut ? " cut\n" : "\n";
}

void AccessLog::append_request(std::string_view method, std::string_view target) {
  lines_ += '"';
  append_log_text(lines_, method.empty() ? "-" : method);
  lines_ += ' ';
  append_log_text(lines_, target.empty() ? "-" : target);
  lines_ += '"';
}

}  // namespace cppasgi::session
