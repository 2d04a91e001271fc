// The rules of RFC 9110 section 5 that several files check: tokens, field values, comma-separated
// lists.
#pragma once

#include <functional>
#include <string_view>

namespace cppasgi::http {

bool is_token(std::string_view text);        // 1*tchar (RFC 9110 5.6.2)
bool is_field_value(std::string_view text);  // no CR, LF, NUL or other control but HTAB (5.5)
bool equals_ignoring_case(std::string_view left, std::string_view right);
std::string_view trim(std::string_view text);  // of SP and HTAB

// Whether the comma-separated `list` (RFC 9110 5.6.1) has `token`, ignoring case.
bool list_contains(std::string_view list, std::string_view token);

}  // namespace cppasgi::http
