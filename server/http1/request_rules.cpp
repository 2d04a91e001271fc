// One pass over the fields finds those that frame the message or manage the connection; a function
// of its own checks each. Where RFC 9112 lets a server choose between repairing and refusing, it
// refuses.
#include "server/http1/request_rules.h"

#include <array>

#include "server/http/syntax.h"

namespace cppasgi::http1 {
namespace {

using Refusal = std::optional<ProtocolError>;

constexpr std::string_view kAuthorityPunctuation = "-._~%!$&'()*+,;=:[]";

constexpr std::array<bool, 256> make_authority_set() {
  std::array<bool, 256> set{};
  for (const unsigned char byte : kAuthorityPunctuation) set[byte] = true;
  for (unsigned byte = '0'; byte <= '9'; ++byte) set[byte] = true;
  for (unsigned byte = 'a'; byte <= 'z'; ++byte) set[byte] = set[byte - 'a' + 'A'] = true;
  return set;
}

constexpr std::array<bool, 256> kAuthorityBytes = make_authority_set();

// uri-host [ ":" port ] (RFC 9110 7.2) by its characters: no userinfo, path, space or second value
// gets through. Empty is allowed: the target URI of the request may have no authority.
bool is_host(std::string_view text) {
  for (const char byte : text) {
    if (!kAuthorityBytes[static_cast<unsigned char>(byte)]) return false;
  }
  return true;
}

// The authority of "http://authority/..."; empty when the target isn't of this form (RFC
// 9112 3.2.2).
std::string_view absolute_form_authority(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!http::equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    return target.substr(0, target.find_first_of("/?"));
  }
  return {};
}

// RFC 9112 3.2. CONNECT, the only method with an authority-form, has been refused before.
Refusal check_target(std::string_view method, std::string_view target) {
  if (target.find('#') != std::string_view::npos)
    return ProtocolError{400, "fragment in request target"};
  if (target.starts_with('/')) return {};
  if (target == "*") {
    if (method == "OPTIONS") return {};
    return ProtocolError{400, "asterisk as target of another method than OPTIONS"};
  }
  const std::string_view authority = absolute_form_authority(target);
  if (authority.empty() || !is_host(authority)) return ProtocolError{400, "invalid request target"};
  return {};
}

// RFC 9112 3.2: a client sends the authority of the target as Host, so that two readers can't
// choose differently.
Refusal check_host(std::string_view host, std::string_view target) {
  if (!is_host(host)) return ProtocolError{400, "invalid Host"};
  if (target.starts_with('/') || target == "*") return {};
  if (!http::equals_ignoring_case(host, absolute_form_authority(target))) {
    return ProtocolError{400, "Host differs from the authority of the request target"};
  }
  return {};
}

// RFC 9112 6.1 and 6.3: exactly one coding, "chunked", and only from a client that knows HTTP/1.1.
Refusal check_transfer_encoding(std::string_view value, http::Version version) {
  if (version == http::Version::Http10)
    return ProtocolError{400, "Transfer-Encoding in an HTTP/1.0 request"};
  if (http::equals_ignoring_case(value, "chunked")) return {};
  const std::size_t comma = value.rfind(',');
  const bool chunked_last =
      comma != std::string_view::npos &&
      http::equals_ignoring_case(http::trim(value.substr(comma + 1)), "chunked");
  if (chunked_last) return ProtocolError{501, "transfer coding not implemented"};
  return ProtocolError{400, "invalid Transfer-Encoding"};
}

struct ConnectionOptions {
  bool close = false;
  bool keep_alive = false;
};

void add_connection_options(ConnectionOptions& options, std::string_view value) {
  options.close |= http::list_contains(value, "close");
  options.keep_alive |= http::list_contains(value, "keep-alive");
}

}  // namespace

std::optional<ProtocolError> check_request(const http::RequestHead& head, bool daphne_strict,
                                           RequestTraits& traits) {
  if (Refusal refusal = check_target(head.method(), head.target())) return refusal;
  ConnectionOptions connection;
  int host_count = 0;
  int transfer_encoding_count = 0;
  bool has_content = false;
  bool expects_continue = false;
  for (std::size_t index = 0; index < head.field_count(); ++index) {
    const auto [name, value] = head.field(index);
    if (daphne_strict && value.find('\x85') != std::string_view::npos)
      return ProtocolError{400, "invalid field value"};
    switch (name.size()) {
      case 4:
        if (name != "host") break;
        if (++host_count > 1) return ProtocolError{400, "more than one Host"};
        if (Refusal refusal = check_host(value, head.target())) return refusal;
        break;
      case 6:
        if (name != "expect" || head.version == http::Version::Http10) break;  // RFC 9110 10.1.1
        if (!http::equals_ignoring_case(value, "100-continue")) {
          return ProtocolError{417, "unknown expectation"};
        }
        expects_continue = true;
        break;
      case 7:
        if (name != "upgrade") break;
        if (head.version == http::Version::Http10)
          traits.old_handshake |= http::list_contains(value, "websocket");
        break;
      case 10:
        if (name == "connection") add_connection_options(connection, value);
        break;
      case 14:
        if (name == "content-length")
          has_content = value.find_first_not_of('0') != std::string_view::npos;
        break;
      case 16:
        if (name == http::kRootPathField) traits.has_root_path = true;
        break;
      case 17:
        if (name != "transfer-encoding") break;
        if (++transfer_encoding_count > 1)
          return ProtocolError{400, "more than one Transfer-Encoding"};
        if (Refusal refusal = check_transfer_encoding(value, head.version)) return refusal;
        has_content = true;
        break;
      default:
        break;
    }
  }
  const bool is_http11 = head.version == http::Version::Http11;
  if (host_count == 0 && is_http11 && !daphne_strict)
    return ProtocolError{400, "no Host"};  // RFC 9112 3.2
  traits.version = head.version;
  traits.keep_alive = !connection.close && (is_http11 || connection.keep_alive);
  traits.expects_continue = expects_continue && has_content;
  traits.is_head = head.method() == "HEAD";
  return {};
}

}  // namespace cppasgi::http1
