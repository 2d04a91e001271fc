// RFC 9110 6.5.1 forbids kinds of fields. The list below has the fields of each kind, from the
// sections that define them, and the fields for connections of HTTP/1.1.
#include "server/http/trailers.h"

#include <algorithm>
#include <array>

#include "server/http/syntax.h"

namespace cppasgi::http {
namespace {

constexpr std::array<std::string_view, 42> kForbidden{
    // framing, routing, connection (RFC 9112 6 and 9; RFC 9110 7)
    "connection", "content-length", "expect", "host", "keep-alive", "max-forwards",
    "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "via",
    // request modifiers and conditions (RFC 9110 10.1, 12.5, 13.1, 14.2)
    "accept", "accept-charset", "accept-encoding", "accept-language", "if-match",
    "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range",
    // authentication (RFC 9110 11; RFC 6265)
    "authorization", "cookie", "proxy-authenticate", "proxy-authorization", "set-cookie",
    "www-authenticate",
    // control of the response (RFC 9110 6.6.1, 10.2, 12.5.5; RFC 9111 5)
    "age", "cache-control", "date", "expires", "location", "pragma", "retry-after", "vary",
    "warning",
    // how to read the content (RFC 9110 8, 14.4)
    "content-encoding", "content-language", "content-location", "content-range", "content-type"};

}  // namespace

bool accepts_trailers(const RequestHead& head) {
  if (head.version != Version::Http11) return false;
  for (std::size_t index = 0; index < head.field_count(); ++index) {
    const auto [name, value] = head.field(index);
    if (name == "te" && list_contains(value, "trailers")) return true;
  }
  return false;
}

bool is_trailer_name(std::string_view name) {
  return std::none_of(kForbidden.begin(), kForbidden.end(), [name](std::string_view forbidden) {
    return equals_ignoring_case(name, forbidden);
  });
}

}  // namespace cppasgi::http
