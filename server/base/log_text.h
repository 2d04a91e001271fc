// Text of others on its way into a log line: whatever could end a field or the line, or steer a
// terminal, and whatever isn't ASCII, is written as \xHH, as nginx does. JSON has its own spelling
// of the same bytes: \u00HH, that is, as Latin-1.
#pragma once

#include <string>
#include <string_view>

namespace cppasgi {

// Appends `text` to a line, escaped.
void append_log_text(std::string& line, std::string_view text);
// Appends `text` as a JSON string (RFC 8259 7), with its quotes.
void append_json_text(std::string& line, std::string_view text);

}  // namespace cppasgi
