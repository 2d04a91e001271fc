#include "server/session/log_limiter.h"

#include <algorithm>

namespace cppasgi::session {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kPeriod{10'000};
constexpr std::uint64_t kLinesOfKind = 10;  // in a period
constexpr milliseconds kSecond{1'000};
constexpr std::uint64_t kLinesInSecond = 20;  // of all kinds

}  // namespace

bool LogLimiter::passes(std::string_view what, milliseconds now) {
  if (!left_out_ && now - began_ >= kPeriod) kinds_.clear();
  if (kinds_.empty()) began_ = now;
  if (now - second_began_ >= kSecond) {
    second_began_ = now;
    in_second_ = 0;
  }
  const auto kind = std::find_if(kinds_.begin(), kinds_.end(),
                                 [what](const Kind& each) { return each.what == what; });
  if (kind == kinds_.end()) {
    kinds_.push_back({what, 1, 0});
    return true;
  }
  if (kind->lines < kLinesOfKind && in_second_ < kLinesInSecond) {
    ++kind->lines;
    ++in_second_;
    return true;
  }
  ++kind->left_out;
  left_out_ = true;
  return false;
}

milliseconds LogLimiter::next_report() const {
  return left_out_ ? began_ + kPeriod : milliseconds::max();
}

std::vector<std::string> LogLimiter::take_reports(milliseconds now) {
  std::vector<std::string> lines;
  if (now < next_report()) return lines;
  for (const Kind& kind : kinds_) {
    if (kind.left_out == 0) continue;
    const bool one = kind.left_out == 1;
    lines.push_back(std::string(kind.what) + ": " + std::to_string(kind.left_out) +
                    (one ? " more line like this was" : " more lines like this were") +
                    " left out in the last 10 s");
  }
  kinds_.clear();
  left_out_ = false;
  return lines;
}

}  // namespace cppasgi::session
