// The rules that a whole request head must keep beyond its syntax (RFC 9112 sections 3, 6 and 9,
// RFC 9110 sections 7 and 10), and what follows from its fields. Pure functions; the parser calls
// them before anybody sees the head.
#pragma once

#include <cstdint>
#include <optional>

#include "server/http/request_head.h"
#include "server/http1/events.h"

namespace cppasgi::http1 {

// The properties of a request that decide its framing and its response.
struct RequestTraits {
  bool keep_alive = true;         // the client's wish (RFC 9112 9.3)
  bool expects_continue = false;  // it waits for "100 Continue" (RFC 9110 10.1.1)
  bool is_head = false;           // the response has no content (RFC 9110 9.3.2)
  bool has_root_path = false;     // in a field Daphne-Root-Path
  bool old_handshake = false;     // for a WebSocket, but in HTTP/1.0, which knows no Upgrade
  http::Version version = http::Version::Http11;
};

// Sets `traits`, or says why the request is refused. llhttp has already checked the characters of
// names, values and Content-Length, refused a repeated Content-Length, one next to
// Transfer-Encoding, line folding and bare CR or LF. `daphne_strict` does what Daphne's own tests
// ask for: HTTP/1.1 without Host is accepted (against RFC 9112 3.2), and the byte 0x85 in a value
// is refused.
std::optional<ProtocolError> check_request(const http::RequestHead& head, bool daphne_strict,
                                           RequestTraits& traits);

}  // namespace cppasgi::http1
