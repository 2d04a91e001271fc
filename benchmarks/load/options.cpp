#include "options.h"

#include <cstdlib>
#include <map>
#include <stdexcept>

#include "deflate.h"
#include "frames.h"

const char* const kUsage =
    "[--workload echo|open|open-echo|broadcast|idle] [--host H] [--port N] [--path P]\n"
    "       [--connections N] [--in-flight N] [--size BYTES] [--type text|binary]\n"
    "       [--deflate yes|alone|no] [--rate MESSAGES_PER_SECOND] [--duration SECONDS]";

namespace {

double number(const std::string& text, double low, double high) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= low && value <= high)) {
    throw std::invalid_argument("not a number in range: " + text);
  }
  return value;
}

template <typename Value>
Value one_of(const std::map<std::string, Value>& choices, const std::string& text) {
  const auto found = choices.find(text);
  if (found == choices.end()) throw std::invalid_argument(text);
  return found->second;
}

}  // namespace

Options parse_options(int argc, char** argv) {
  std::map<std::string, std::string> values = {
      {"--workload", "echo"},  {"--host", "127.0.0.1"}, {"--port", "8000"},  {"--path", "/ws"},
      {"--connections", "64"}, {"--in-flight", "1"},    {"--size", "64"},    {"--type", "text"},
      {"--deflate", "no"},     {"--rate", "0"},         {"--duration", "5"},
  };
  for (int i = 1; i < argc; i += 2) {
    const auto found = values.find(argv[i]);
    if (found == values.end() || i + 1 == argc) throw std::invalid_argument(argv[i]);
    found->second = argv[i + 1];
  }
  const std::string& workload = values["--workload"];
  return {.workload = one_of<Workload>({{"echo", Workload::Echo},
                                        {"open", Workload::Open},
                                        {"open-echo", Workload::Open},
                                        {"broadcast", Workload::Broadcast},
                                        {"idle", Workload::Idle}},
                                       workload),
          .host = values["--host"],
          .port = values["--port"],
          .path = values["--path"],
          .connections = static_cast<int>(number(values["--connections"], 1, 50000)),
          .in_flight = static_cast<int>(number(values["--in-flight"], 1, 10000)),
          .size = static_cast<std::size_t>(number(values["--size"], 0, 1 << 28)),
          .opcode = one_of<std::uint8_t>({{"text", kText}, {"binary", kBinary}}, values["--type"]),
          .deflate = one_of<std::string_view>(
              {{"yes", Deflate::kOffer}, {"alone", Deflate::kOfferAlone}, {"no", ""}},
              values["--deflate"]),
          .echo = workload == "open-echo",
          .rate = number(values["--rate"], 0, 1e7),
          .duration_seconds = number(values["--duration"], 0.05, 600)};
}
