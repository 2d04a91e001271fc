// The rules of RFC 6455 4.2.1 one by one, each broken once in a request that is otherwise right,
// and the answer of 4.2.2.
#include "server/websocket/handshake.h"

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "support/catch.h"

using namespace cppasgi;
using namespace cppasgi::websocket;

namespace {

using FieldList = std::vector<std::pair<std::string_view, std::string_view>>;

// The request of RFC 6455 1.2.
const FieldList kSample = {
    {"Host", "server.example.com"},   {"Upgrade", "websocket"},
    {"Connection", "Upgrade"},        {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
    {"Origin", "http://example.com"}, {"Sec-WebSocket-Version", "13"}};

http::RequestHead make_head(const FieldList& fields, std::string_view method = "GET",
                            http::Version version = http::Version::Http11) {
  http::RequestHead head;
  head.version = version;
  head.append_method(method);
  head.append_target("/chat");
  for (const auto& [name, value] : fields) {
    head.begin_field();
    head.append_field_name(name);
    head.append_field_value(value);
  }
  return head;
}

FieldList without(std::string_view name) {
  FieldList fields = kSample;
  std::erase_if(fields, [name](const auto& field) { return field.first == name; });
  return fields;
}

FieldList with(std::string_view name, std::string_view value) {
  FieldList fields = kSample;
  fields.emplace_back(name, value);
  return fields;
}

FieldList replaced(std::string_view name, std::string_view value) {
  FieldList fields = without(name);
  fields.emplace_back(name, value);
  return fields;
}

// 0 when the handshake is right.
int status_of(const http::RequestHead& head) {
  const auto result = check_handshake(head);
  const auto* error = std::get_if<HandshakeError>(&result);
  if (error == nullptr) return 0;
  CHECK_FALSE(error->detail.empty());
  return error->status;
}

std::vector<std::string_view> subprotocols_of(const http::RequestHead& head) {
  return std::get<OpeningHandshake>(check_handshake(head)).subprotocols;
}

std::string accept_response(std::string_view subprotocol, const std::vector<http::Field>& fields,
                            std::string_view extensions = {}) {
  OutputBuffer output;
  output.append("before|");
  write_accept_response(output, "dGhlIHNhbXBsZSBub25jZQ==", subprotocol, extensions, fields);
  return output.take();
}

}  // namespace

TEST_CASE("check_handshake: the RFC's sample is right (RFC 6455 1.2)", "[websocket][handshake]") {
  const http::RequestHead head = make_head(kSample);
  CHECK(is_websocket_upgrade(head));
  const auto result = check_handshake(head);
  REQUIRE(std::holds_alternative<OpeningHandshake>(result));
  CHECK(std::get<OpeningHandshake>(result).key == "dGhlIHNhbXBsZSBub25jZQ==");
  CHECK(std::get<OpeningHandshake>(result).subprotocols.empty());
}

TEST_CASE(
    "is_websocket_upgrade: tokens count in any case, place and field (RFC 6455 4.2.1, RFC 9110 "
    "7.8)",
    "[websocket][handshake]") {
  for (const std::string_view upgrade :
       {"websocket", "WebSocket", "h2c, websocket", "h2c,\tWEBSOCKET ,x/1"}) {
    CHECK(is_websocket_upgrade(make_head(replaced("Upgrade", upgrade))));
  }
  for (const std::string_view connection : {"upgrade", "keep-alive, Upgrade", "UPGRADE,close"}) {
    CHECK(is_websocket_upgrade(make_head(replaced("Connection", connection))));
  }
  FieldList several = replaced("Upgrade", "h2c");
  several.emplace_back("upgrade", "websocket");
  several.insert(several.begin(), {"Connection", "keep-alive"});
  CHECK(is_websocket_upgrade(make_head(several)));
  CHECK(status_of(make_head(several)) == 0);
}

TEST_CASE("is_websocket_upgrade: other requests stay HTTP (RFC 9110 7.8)",
          "[websocket][handshake]") {
  CHECK_FALSE(is_websocket_upgrade(make_head(without("Upgrade"))));
  CHECK_FALSE(is_websocket_upgrade(make_head(without("Connection"))));
  CHECK_FALSE(is_websocket_upgrade(make_head(replaced("Upgrade", "websockets"))));
  CHECK_FALSE(is_websocket_upgrade(make_head(replaced("Upgrade", "web socket"))));
  CHECK_FALSE(is_websocket_upgrade(make_head(replaced("Connection", "keep-alive"))));
  CHECK_FALSE(is_websocket_upgrade(make_head(kSample, "GET", http::Version::Http10)));
}

TEST_CASE("check_handshake: each broken rule is refused with its status (RFC 6455 4.2.1)",
          "[websocket][handshake]") {
  struct Case {
    std::string_view rule;
    http::RequestHead head;
    int status;
  };
  const std::vector<Case> cases = {
      {"1: GET", make_head(kSample, "POST"), 405},
      {"1: GET, letter case counts", make_head(kSample, "get"), 405},
      {"1: HTTP/1.1", make_head(kSample, "GET", http::Version::Http10), 400},
      {"2: Host", make_head(without("Host")), 400},
      {"2: one Host", make_head(with("Host", "other.example.com")), 400},
      {"3: Upgrade", make_head(without("Upgrade")), 400},
      {"3: websocket", make_head(replaced("Upgrade", "h2c")), 400},
      {"4: Connection", make_head(without("Connection")), 400},
      {"4: upgrade", make_head(replaced("Connection", "close")), 400},
      {"5: key", make_head(without("Sec-WebSocket-Key")), 400},
      {"5: one key", make_head(with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")), 400},
      {"5: not empty", make_head(replaced("Sec-WebSocket-Key", "")), 400},
      {"5: 15 bytes", make_head(replaced("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j")), 400},
      {"5: 17 bytes", make_head(replaced("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZWU=")), 400},
      {"5: 18 bytes", make_head(replaced("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZWVl")), 400},
      {"5: base64", make_head(replaced("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j-_==")), 400},
      {"5: padding inside", make_head(replaced("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25=ZQ==")),
       400},
      {"5: no padding", make_head(replaced("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ")), 400},
      {"6: version", make_head(without("Sec-WebSocket-Version")), 426},
      {"6: 13", make_head(replaced("Sec-WebSocket-Version", "8")), 426},
      {"6: 13 and nothing else", make_head(replaced("Sec-WebSocket-Version", "13, 8")), 426},
      {"6: one version", make_head(with("Sec-WebSocket-Version", "13")), 400},
      {"8: subprotocols are tokens", make_head(with("Sec-WebSocket-Protocol", "chat, su per")),
       400},
      {"8: no quotes", make_head(with("Sec-WebSocket-Protocol", "\"chat\"")), 400},
      {"8: subprotocols differ", make_head(with("Sec-WebSocket-Protocol", "chat, superchat, chat")),
       400},
  };
  for (const Case& broken : cases) {
    INFO(broken.rule);
    CHECK(status_of(broken.head) == broken.status);
  }
}

TEST_CASE(
    "check_handshake: a refusal names the version and the method that work (RFC 6455 4.4, RFC 9110 "
    "15.5)",
    "[websocket][handshake]") {
  const auto version = check_handshake(make_head(replaced("Sec-WebSocket-Version", "99")));
  CHECK(std::get<HandshakeError>(version).fields ==
        std::vector<http::Field>{
            {"sec-websocket-version", "13"}, {"upgrade", "websocket"}, {"connection", "upgrade"}});
  const auto method = check_handshake(make_head(kSample, "POST"));
  CHECK(std::get<HandshakeError>(method).fields == std::vector<http::Field>{{"allow", "GET"}});
}

TEST_CASE("check_handshake: subprotocols of all fields are one list in order (RFC 6455 11.3.4)",
          "[websocket][handshake]") {
  FieldList fields = with("Sec-WebSocket-Protocol", "chat, superchat");
  fields.emplace_back("sec-websocket-protocol", ",v2.chat ,, Chat");
  CHECK(subprotocols_of(make_head(fields)) ==
        std::vector<std::string_view>{"chat", "superchat", "v2.chat", "Chat"});
  fields.emplace_back("sec-websocket-protocol", "superchat");
  CHECK(status_of(make_head(fields)) == 400);
}

TEST_CASE("accept_key: the RFC's sample (RFC 6455 4.2.2)", "[websocket][handshake]") {
  CHECK(accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("write_accept_response: the whole response is appended (RFC 6455 4.2.2)",
          "[websocket][handshake]") {
  const std::string start =
      "before|HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
  CHECK(accept_response("", {}) == start + "\r\n");
  CHECK(accept_response("chat", {{"set-cookie", "a=b"}, {"x-empty", ""}}) ==
        start + "Sec-WebSocket-Protocol: chat\r\nset-cookie: a=b\r\nx-empty: \r\n\r\n");
}

TEST_CASE(
    "write_accept_response: fields that would change the handshake are left out (RFC 6455 4.2.2)",
    "[websocket][handshake]") {
  CHECK(accept_response("", {{"Sec-WebSocket-Extensions", "permessage-deflate"},
                             {"sec-websocket-protocol", "other"},
                             {"sec-websocket-accept", "x"},
                             {"connection", "close"},
                             {"Upgrade", "h2c"},
                             {"content-length", "5"},
                             {"transfer-encoding", "chunked"}}) == accept_response("", {}));
}
