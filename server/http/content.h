// What is said with a piece of content on its way out, and what becomes of it (RFC 9110 6.4).
#pragma once

#include <cstdint>

namespace cppasgi {

// Whether more of the same follows; No ends the content.
enum class More : bool { No, Yes };

// What became of a piece of content.
enum class SendStatus : std::uint8_t {
  Sent,
  TooLong,   // the piece exceeds the announced Content-Length: nothing of it was sent
  TooShort,  // the piece is the last, and less came than announced: the response can't be completed
};

}  // namespace cppasgi
