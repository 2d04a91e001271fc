// The server's side of the opening handshake (RFC 6455 section 4.2), for a head that the HTTP
// parser has read.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/base/output_buffer.h"
#include "server/http/request_head.h"
#include "server/websocket/deflate_offer.h"

namespace cppasgi::websocket {

// A valid opening handshake. The views point into the head.
struct OpeningHandshake {
  std::string_view key;                        // Sec-WebSocket-Key
  std::vector<std::string_view> subprotocols;  // in the client's order of preference
  std::optional<DeflateParameters> deflate;    // the first valid offer of permessage-deflate
};

// Why a handshake isn't valid. The caller answers with this status, these fields and this text,
// then closes.
struct HandshakeError {
  int status = 400;
  std::string_view detail;          // static text
  std::vector<http::Field> fields;  // e.g. Sec-WebSocket-Version: 13 with 426
};

// Whether the head asks for a WebSocket: "websocket" is in its Upgrade list, in any letter case,
// and "upgrade" in its Connection list. Never so in HTTP/1.0, whose Upgrade must be ignored (RFC
// 9110 7.8).
bool is_websocket_upgrade(const http::RequestHead& head);

// Checks every rule of RFC 6455 4.2.1. Precondition: is_websocket_upgrade().
std::variant<OpeningHandshake, HandshakeError> check_handshake(const http::RequestHead& head);

// Sec-WebSocket-Accept for a key (RFC 6455 4.2.2 step 5.4).
std::string accept_key(std::string_view key);

// Appends the whole "101 Switching Protocols" response. An empty `subprotocol` or `extensions`
// means none. `fields` are the application's; those that would change the handshake or frame
// content are left out. Precondition: they are valid (http::is_token, http::is_field_value).
void write_accept_response(OutputBuffer& output, std::string_view key, std::string_view subprotocol,
                           std::string_view extensions, const std::vector<http::Field>& fields);

}  // namespace cppasgi::websocket
