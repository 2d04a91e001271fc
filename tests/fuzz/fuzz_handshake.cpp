// Request heads as opening handshakes: accepted, with everything RFC 6455 4.2.1 asks for, or
// refused with a status; and the 101 of an accepted one is a well-formed head. The input is lines:
// the method, then fields as "name: value".
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "require.h"
#include "server/http/syntax.h"
#include "server/websocket/handshake.h"

using namespace cppasgi;

namespace {

using cppasgi::test::require;

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

// What the HTTP parser would let through: token names, values without controls.
http::RequestHead parse(std::string_view text) {
  http::RequestHead head;
  head.append_method(take_line(text));
  head.append_target("/");
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !http::is_token(line.substr(0, colon))) continue;
    if (!http::is_field_value(line.substr(colon + 1))) continue;
    head.begin_field();
    head.append_field_name(line.substr(0, colon));
    head.append_field_value(line.substr(colon + 1));
    head.trim_field_value();
  }
  return head;
}

void check_accepted(const http::RequestHead& head, const websocket::OpeningHandshake& handshake) {
  require(websocket::is_websocket_upgrade(head), "accepted what asks for no upgrade");
  require(head.method() == "GET", "accepted another method");
  require(head.count("host") == 1, "accepted without one Host");
  require(head.count("sec-websocket-key") == 1 && handshake.key.size() == 24,
          "accepted without one key");
  require(head.count("sec-websocket-version") == 1 && head.find("sec-websocket-version") == "13",
          "accepted another version");
  std::set<std::string_view> distinct;
  for (const std::string_view name : handshake.subprotocols) {
    require(http::is_token(name), "accepted a subprotocol that isn't a token");
    require(distinct.insert(name).second, "accepted a subprotocol twice");
  }

  std::vector<http::Field> fields;
  for (std::size_t i = 0; i < head.field_count(); ++i) fields.push_back(head.field(i));
  OutputBuffer output;
  const std::string_view chosen =
      handshake.subprotocols.empty() ? "" : handshake.subprotocols.back();
  websocket::write_accept_response(output, handshake.key, chosen, {}, fields);
  std::string_view response = output.view();
  require(response.find("\r\n\r\n") == response.size() - 4,
          "the head of the 101 ends early or not at all");
  std::size_t accepts = 0;
  while (!response.empty()) {
    const std::string_view line = take_line(response);
    if (line.starts_with("Sec-WebSocket-Accept: ") && line.size() == 22 + 28 + 1) ++accepts;
  }
  require(accepts == 1, "the 101 lacks its one Sec-WebSocket-Accept");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const http::RequestHead head = parse({reinterpret_cast<const char*>(data), size});
  const auto result = websocket::check_handshake(head);
  if (const auto* handshake = std::get_if<websocket::OpeningHandshake>(&result)) {
    check_accepted(head, *handshake);
  } else {
    const auto& error = std::get<websocket::HandshakeError>(result);
    require(error.status == 400 || error.status == 405 || error.status == 426,
            "refused with another status");
    require(!error.detail.empty(), "refused without a text");
  }
  return 0;
}
