// Splits and decodes a request target (RFC 9112 3.2, RFC 3986).
#pragma once

#include <string>
#include <string_view>

namespace cppasgi::http {

struct TargetParts {
  std::string_view raw_path;  // before '?', percent-encoding kept
  std::string_view query;     // after '?', percent-encoding kept; empty when there is none
};

// Splits origin-form, absolute-form ("http://host/path?query": scheme and authority are dropped)
// and "*".
TargetParts split_target(std::string_view target);

// Decodes each %XX into a byte, and overwrites `decoded`. A '%' without two hex digits after it
// stays as it is. The result may be any bytes; the caller decides about UTF-8.
void percent_decode(std::string_view encoded, std::string& decoded);

}  // namespace cppasgi::http
