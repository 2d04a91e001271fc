#include "server/session/proxy_headers.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/http/syntax.h"

namespace cppasgi::session {

namespace {

constexpr std::string_view kForwarded = "forwarded";

std::uint16_t to_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() ? port : std::uint16_t{0};
}

// Takes what stands before the next `separator` out of `rest`; quoted strings (RFC 9110 5.6.4) stay
// whole.
std::string_view take_until(std::string_view& rest, char separator) {
  bool quoted = false;
  std::size_t at = 0;
  for (; at < rest.size() && (quoted || rest[at] != separator); ++at) {
    if (rest[at] == '"') quoted = !quoted;
    if (rest[at] == '\\' && quoted) ++at;
  }
  at = std::min(at, rest.size());
  const std::string_view taken = http::trim(rest.substr(0, at));
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return taken;
}

// All entries of the fields called `name`, in their order; empty ones don't count (RFC 9110 5.6.1).
std::vector<std::string_view> list_of(const http::RequestHead& head, std::string_view name) {
  std::vector<std::string_view> entries;
  for (std::size_t i = 0; i < head.field_count(); ++i) {
    if (head.field(i).name != name) continue;
    std::string_view rest = head.field(i).value;
    while (!rest.empty()) {
      const std::string_view entry = take_until(rest, ',');
      if (!entry.empty()) entries.push_back(entry);
    }
  }
  return entries;
}

// An address with its port, if it has one: 192.0.2.1:80, [2001:db8::1]:80.
Address to_address(std::string_view text) {
  Address address;
  const std::size_t colon = text.rfind(':');
  if (text.starts_with('[') && text.find(']') != std::string_view::npos) {
    const std::size_t end = text.find(']');
    address.host = text.substr(1, end - 1);
    if (text.substr(end + 1).starts_with(':')) address.port = to_port(text.substr(end + 2));
  } else if (colon != std::string_view::npos && text.find(':') == colon) {
    address.host = text.substr(0, colon);
    address.port = to_port(text.substr(colon + 1));
  } else {
    address.host = text;
  }
  return address;
}

struct Hop {
  Address client;
  std::string_view scheme;
};

// One forwarded-element (RFC 7239 4).
Hop to_hop(std::string_view element) {
  Hop hop;
  while (!element.empty()) {
    const std::string_view pair = take_until(element, ';');
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = pair.substr(0, equals);
    std::string_view value = pair.substr(equals + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);  // no address or scheme has escaped characters
    }
    if (http::equals_ignoring_case(name, "for")) hop.client = to_address(value);
    if (http::equals_ignoring_case(name, "proto")) hop.scheme = value;
  }
  return hop;
}

// The entry that belongs to the address `from_end` places before the last one. A proxy that
// replaces the field instead of adding to it leaves fewer of them.
std::string_view entry_from_end(const std::vector<std::string_view>& entries,
                                std::size_t from_end) {
  if (entries.empty()) return {};
  return entries[entries.size() - 1 - std::min(from_end, entries.size() - 1)];
}

}  // namespace

ConnectionInfo forwarded_connection(const http::RequestHead& head, const ProxyHeaders& names,
                                    const TrustedProxies& trusted,
                                    const ConnectionInfo& connection) {
  const bool has_addresses = names.address != kForwarded;
  const std::vector<std::string_view> entries = list_of(head, names.address);
  if (entries.empty()) return connection;
  Hop hop;
  std::size_t from_end = 0;
  while (true) {
    const std::string_view entry = entry_from_end(entries, from_end);
    hop = has_addresses ? Hop{to_address(entry), {}} : to_hop(entry);
    if (from_end + 1 == entries.size() || !trusted.trusts(hop.client.host)) break;
    ++from_end;
  }
  if (has_addresses) {
    hop.scheme = entry_from_end(list_of(head, names.scheme), from_end);
    const std::uint16_t port = to_port(entry_from_end(list_of(head, names.port), from_end));
    if (port != 0) hop.client.port = port;
  }
  ConnectionInfo forwarded = connection;
  // Logs and scopes name addresses only: "unknown", "_hidden" (RFC 7239 6) and whatever else may
  // stand there are dropped, and the client is the proxy then.
  if (TrustedProxies::is_address(hop.client.host)) forwarded.client = std::move(hop.client);
  if (!hop.scheme.empty()) {
    forwarded.secure = http::equals_ignoring_case(hop.scheme, "https") ||
                       http::equals_ignoring_case(hop.scheme, "wss");
  }
  return forwarded;
}

}  // namespace cppasgi::session
