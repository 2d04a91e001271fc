// Keeps clients from filling the operator's log. Lines that say the same are repeats, whichever
// client they are about: in ten seconds ten of them are written, and twenty in a second of all
// kinds together. The first of each kind always is, so that a flood hides nothing else. The others
// are counted, and told of when the ten seconds are over.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cppasgi::session {

class LogLimiter {
 public:
  using milliseconds = std::chrono::milliseconds;

  // Whether a line that says `what`, a static text, is to be written; if not, it is counted. Costs
  // nothing but a look at as many texts as were logged in these seconds.
  bool passes(std::string_view what, milliseconds now);
  // When take_reports() has something to say; max() for nothing left out.
  milliseconds next_report() const;
  // What was left out in the seconds that are over, a line for each kind; all of it for max().
  std::vector<std::string> take_reports(milliseconds now);

 private:
  struct Kind {
    std::string_view what;
    std::uint64_t lines = 0;
    std::uint64_t left_out = 0;
  };

  std::vector<Kind> kinds_;  // of these seconds: as many as there are texts in the source, at most
  bool left_out_ = false;    // something of them
  milliseconds began_{0};
  milliseconds second_began_{0};
  std::uint64_t in_second_ = 0;  // of lines that were not the first of their kind
};

}  // namespace cppasgi::session
