// Trailer fields of responses (RFC 9110 6.5): which clients accept them, and which fields are
// allowed.
#pragma once

#include <string_view>

#include "server/http/request_head.h"

namespace cppasgi::http {

// Whether the client accepts trailer fields ("TE: trailers", RFC 9110 10.1.4) and its version of
// HTTP has them.
bool accepts_trailers(const RequestHead& head);

// Whether a trailer may be called `name`. Fields that frame or route a message, authenticate,
// control the response or say how to read the content may not be trailers (RFC 9110 6.5.1).
bool is_trailer_name(std::string_view name);

}  // namespace cppasgi::http
