// Bytes of a WebSocket client: whatever they are, and however they are cut, they mean the same
// events and the same answer, and wslay's own event layer agrees. The first byte chooses limits and
// whether the rest is raw bytes or a script of frames.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "websocket/transcript.h"
#include "websocket/wslay_reference.h"
#include "websocket_input.h"

using namespace cppasgi;
using namespace cppasgi::test;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string input = (data[0] & 1) != 0 ? frames_of(rest) : std::string(rest);
  const std::size_t limit = (data[0] & 2) != 0 ? 200 : 100'000;

  const WebSocketLimits limits{limit, limit};
  const Transcript whole = run_websocket(limits, {input});
  require(whole == run_websocket(limits, single_bytes(input)),
          "single bytes mean something else than the whole");
  require(whole == run_websocket(limits, irregular_pieces(input)),
          "pieces mean something else than the whole");
  const std::string difference = difference_from_wslay(limit, input);
  require(difference.empty(), difference.c_str());
  return 0;
}
