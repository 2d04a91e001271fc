// Negotiation of permessage-deflate (RFC 7692 section 7.1) as values: what a client offers in
// Sec-WebSocket-Extensions (RFC 6455 section 9.1), and what a server answers. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/options.h"

namespace cppasgi::websocket {

// The parameters of an offer or of an answer; "server" and "client" name who compresses.
struct DeflateParameters {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  // 8 to 15. An absent value means 15; if the client's is absent in an offer, the answer can't
  // lower it. An offer of client_max_window_bits without a value is 15.
  std::optional<std::uint8_t> server_max_window_bits = std::nullopt;
  std::optional<std::uint8_t> client_max_window_bits = std::nullopt;
  friend bool operator==(const DeflateParameters&, const DeflateParameters&) = default;
};

// Reads one Sec-WebSocket-Extensions field. Sets `offer`, if it is empty, to the first offer of
// permessage-deflate that is valid (RFC 7692 7.1: no unknown, repeated or ill-valued parameter) and
// that zlib can satisfy. Returns false if the field isn't a list of extensions: then the handshake
// must fail (RFC 6455 9.1).
bool read_extensions(std::string_view field, std::optional<DeflateParameters>& offer);

// Context takeover: whether a message may refer to earlier ones.
enum class Takeover : bool { No, Yes };

// Returns the answer to an offer. With Takeover::No neither side may have context takeover, which a
// server may always demand; with Yes each side has it unless the client declines it.
DeflateParameters answer_offer(const DeflateParameters& offer, const WebSocketDeflate& options,
                               Takeover allowed);

// The value of Sec-WebSocket-Extensions in the answer.
std::string extension_field(const DeflateParameters& answer);

}  // namespace cppasgi::websocket
