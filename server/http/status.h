// Status codes and their reason phrases (RFC 9110 section 15 and the IANA registry).
#pragma once

#include <string_view>

namespace cppasgi::http {

// "Unknown Status" for a code that isn't registered.
std::string_view reason_phrase(int status);

}  // namespace cppasgi::http
