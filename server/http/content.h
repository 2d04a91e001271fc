// How a piece of content is sent, and the result of that (RFC 9110 6.4).
#pragma once

#include <cstdint>

namespace cppasgi {

// Whether more of the same follows; No ends the content.
enum class More : bool { No, Yes };

// The result of sending a piece of content.
enum class SendStatus : std::uint8_t {
  Sent,
  TooLong,   // the piece exceeds the announced Content-Length: nothing of it was sent
  TooShort,  // the piece is the last, and less came than announced: the response can't be completed
};

}  // namespace cppasgi
