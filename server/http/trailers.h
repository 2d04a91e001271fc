// Trailer fields of responses (RFC 9110 6.5): who takes them, and which fields may be among them.
#pragma once

#include <string_view>

#include "server/http/request_head.h"

namespace cppasgi::http {

// The client takes trailer fields ("TE: trailers", RFC 9110 10.1.4) and its version can carry them.
bool accepts_trailers(const RequestHead& head);

// May a trailer be called `name`? Not if it frames or routes the message, authenticates, controls
// the response or says how to read the content (RFC 9110 6.5.1).
bool is_trailer_name(std::string_view name);

}  // namespace cppasgi::http
