// permessage-deflate (RFC 7692), one of three ways, chosen by the first byte. Offers in a
// handshake: the answer keeps to the offer. Bytes of a client that may compress: they mean the same
// events however they are cut. Messages sent: they arrive whole and in order. Windows below 15 bits
// aren't used for hostile bytes: zlib notices a look back beyond them only when it has to look
// there.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/websocket/frame.h"
#include "websocket/transcript.h"
#include "websocket_input.h"

using namespace cppasgi;
using namespace cppasgi::test;
using namespace cppasgi::websocket;

namespace {

void check_offers(std::string_view field, const WebSocketDeflate& options) {
  std::optional<DeflateParameters> offer;
  if (!read_extensions(field, offer) || !offer) return;
  for (const Takeover allowed : {Takeover::No, Takeover::Yes}) {
    const DeflateParameters answer = answer_offer(*offer, options, allowed);
    std::optional<DeflateParameters> read;
    require(read_extensions(extension_field(answer), read),
            "the answer isn't a list of extensions");
    require(read == answer, "the answer reads as another one");
    require(answer.server_no_context_takeover >= offer->server_no_context_takeover,
            "server_no_context_takeover was asked for and isn't given");
    require(
        offer->server_max_window_bits.has_value() == answer.server_max_window_bits.has_value() &&
            answer.server_max_window_bits <= offer->server_max_window_bits,
        "a larger window than the client's");
    require(answer.client_max_window_bits <= offer->client_max_window_bits,
            "client_max_window_bits that the client didn't offer");
  }
}

// Frames as in frames_of, and those of whole compressed messages hold compressed data.
std::string compressed_frames_of(std::string_view script) {
  Compressor compressor(6, 15, 8);
  std::vector<char> buffer(1024);
  std::string frames;
  while (script.size() >= 2) {
    const auto first = static_cast<unsigned char>(script[0]);
    const std::size_t size =
        std::min<std::size_t>(static_cast<unsigned char>(script[1]), script.size() - 2);
    std::string_view payload = script.substr(2, size);
    if ((first & 0xF8) == 0xC0 && size != 0) payload = compressor.compress(payload, buffer);
    frames += encode({.opcode = first & 0x0FU,
                      .payload = payload,
                      .final = (first & 0x80) != 0,
                      .reserved_bits = (first & 0x70U) >> 4});
    script.remove_prefix(2 + size);
  }
  return frames;
}

void check_input(const std::string& input, std::size_t limit, const DeflateParameters& answer) {
  const WebSocketLimits limits{limit, limit};
  const Transcript whole = run_websocket(limits, {input}, answer);
  require(whole == run_websocket(limits, single_bytes(input), answer),
          "single bytes mean something else than the whole");
  require(whole == run_websocket(limits, irregular_pieces(input), answer),
          "pieces mean something else than the whole");
}

// What a server sends, as a client's frames.
std::string masked(std::string_view frames) {
  std::string result;
  while (!frames.empty()) {
    const std::size_t size = header_bytes(frames[1]);
    const FrameHeader header = parse_header(frames.substr(0, size));
    result += encode({.opcode = static_cast<unsigned>(header.opcode),
                      .payload = frames.substr(size, header.payload_bytes),
                      .reserved_bits = header.reserved_bits});
    frames.remove_prefix(size + header.payload_bytes);
  }
  return result;
}

// The script is a list of: repetitions, size, bytes to repeat.
void check_messages(std::string_view script, const WebSocketDeflate& options,
                    const DeflateParameters& answer) {
  DeflatePool pool(options);
  const WebSocketLimits limits{0, 0};
  websocket::MessageMemory memory(0);
  WebSocketProtocol sender(limits, memory);
  sender.enable_deflate(std::make_unique<MessageDeflate>(pool, answer, 0));
  const DeflateParameters mirrored{.server_no_context_takeover = answer.client_no_context_takeover,
                                   .client_no_context_takeover = answer.server_no_context_takeover,
                                   .server_max_window_bits = answer.client_max_window_bits,
                                   .client_max_window_bits = answer.server_max_window_bits};
  Transcript expected;
  while (script.size() >= 2) {
    const std::size_t size =
        std::min<std::size_t>(static_cast<unsigned char>(script[1]), script.size() - 2);
    std::string message;
    for (int i = static_cast<unsigned char>(script[0]); i >= 0; --i)
      message += script.substr(2, size);
    const std::string_view rest = sender.send_binary(message);
    sender.bytes_to_send().append(rest);
    expected.events.push_back("binary " + message);
    script.remove_prefix(2 + size);
  }
  const std::string frames = masked(sender.bytes_to_send().take());
  require(run_websocket(limits, {frames}, mirrored) == expected, "other messages arrived");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const unsigned choice = data[0];
  const std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  WebSocketDeflate options{.level = 1 + data[1] % 9,
                           .window_bits = 9 + data[1] % 7,
                           .memory_level = 1 + data[1] / 9 % 9,
                           .min_bytes = data[1] % 4U};
  DeflateParameters answer{.server_no_context_takeover = (choice & 4) != 0,
                           .client_no_context_takeover = (choice & 8) != 0};
  switch (choice & 3) {
    case 0:
      check_offers(rest, options);
      break;
    case 1:
      if ((choice & 16) != 0)
        answer.server_max_window_bits = static_cast<std::uint8_t>(options.window_bits);
      check_messages(rest, options, answer);
      break;
    default:
      check_input((choice & 1) != 0 ? compressed_frames_of(rest) : frames_of(rest),
                  (choice & 16) != 0 ? 200 : 100'000, answer);
  }
  return 0;
}
