// Escapes text that comes from outside for a log line. Bytes that could end a field or the line or
// control a terminal, and bytes that aren't ASCII, become \xHH, as in nginx. In JSON the same bytes
// become \u00HH, that is, they are read as Latin-1.
#pragma once

#include <string>
#include <string_view>

namespace cppasgi {

// Appends `text` to `line`, escaped.
void append_log_text(std::string& line, std::string_view text);
// Appends `text` as a JSON string (RFC 8259 7), with its quotes.
void append_json_text(std::string& line, std::string_view text);

}  // namespace cppasgi
