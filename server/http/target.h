// Takes a request target apart (RFC 9112 3.2, RFC 3986): path as received, path percent-decoded,
// query.
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

// Decodes %XX; what isn't two hex digits after a '%' stays as it is. `decoded` is overwritten.
// Bytes, not characters: the reader decides about UTF-8.
void percent_decode(std::string_view encoded, std::string& decoded);

}  // namespace cppasgi::http
