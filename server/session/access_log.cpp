#include "server/session/access_log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace cppasgi::session {

void AccessLog::add(const AccessRecord& record) {
  if (!enabled()) return;
  const std::time_t now = std::time(nullptr);
  if (format_.is_daphnes()) {
    add_daphnes(record, now);
  } else {
    format_.append(lines_, record, now);
  }
}

void AccessLog::flush() {
  std::string_view rest = lines_;
  while (!rest.empty()) {
    const ssize_t written = write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  lines_.clear();
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
  lines_ += '\n';
}

// Targets hold no control characters or spaces (the parser refuses them); a quote could still end
// the field early.
void AccessLog::append_request(std::string_view method, std::string_view target) {
  lines_ += '"';
  lines_ += method;
  lines_ += ' ';
  const auto ends_field = [](char byte) { return byte == '"' || byte == '\\'; };
  for (auto begin = target.begin();;) {
    const auto end = std::find_if(begin, target.end(), ends_field);
    lines_.append(begin, end);
    if (end == target.end()) break;
    lines_ += '\\';
    lines_ += *end;
    begin = end + 1;
  }
  lines_ += '"';
}

}  // namespace cppasgi::session
