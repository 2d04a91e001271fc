// RFC 6455 4.2.1 rule by rule, and the answer of 4.2.2. Loop thread only.
#include "server/websocket/handshake.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include <openssl/evp.h>

#include "server/http/syntax.h"

namespace cppasgi::websocket {
namespace {

constexpr std::string_view kVersion = "13";
constexpr std::size_t kKeyBytes = 24;        // base64 of 16 bytes ...
constexpr std::size_t kKeyPaddingBytes = 2;  // ... ends so
constexpr std::size_t kSha1Bytes = 20;
constexpr std::size_t kAcceptBytes = 28;  // base64 of kSha1Bytes

// Whether any field of this name lists the token.
bool any_list_contains(const http::RequestHead& head, std::string_view name,
                       std::string_view token) {
  for (std::size_t i = 0; i < head.field_count(); ++i) {
    const http::Field field = head.field(i);
    if (field.name == name && http::list_contains(field.value, token)) return true;
  }
  return false;
}

bool is_base64_letter(char letter) {
  return (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z') ||
         (letter >= '0' && letter <= '9') || letter == '+' || letter == '/';
}

bool is_key(std::string_view value) {
  return value.size() == kKeyBytes && value.ends_with("==") &&
         std::all_of(value.begin(), value.end() - kKeyPaddingBytes, is_base64_letter);
}

// Adds the members of one field; returns false if one isn't a token. Empty members are ignored (RFC
// 9110 5.6.1.2).
bool add_subprotocols(std::string_view list, std::vector<std::string_view>& subprotocols) {
  while (true) {
    const std::size_t comma = list.find(',');
    const std::string_view member = http::trim(list.substr(0, comma));
    if (!member.empty()) {
      if (!http::is_token(member)) return false;
      subprotocols.push_back(member);
    }
    if (comma == std::string_view::npos) return true;
    list.remove_prefix(comma + 1);
  }
}

// Sorts a copy: comparing each member with each other would let a header of 64 KiB cost seconds.
bool has_duplicates(std::vector<std::string_view> names) {
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}

// Whether an application may not set a field: only this file writes it, or a 101 can't have it (RFC
// 9110 15.2, RFC 9112 6.1).
bool is_reserved(std::string_view name) {
  static constexpr std::array<std::string_view, 7> kReserved = {"upgrade",
                                                                "connection",
                                                                "sec-websocket-accept",
                                                                "sec-websocket-protocol",
                                                                "sec-websocket-extensions",
                                                                "transfer-encoding",
                                                                "content-length"};
  return std::any_of(kReserved.begin(), kReserved.end(), [name](std::string_view reserved) {
    return http::equals_ignoring_case(name, reserved);
  });
}

}  // namespace

bool is_websocket_upgrade(const http::RequestHead& head) {
  return head.version != http::Version::Http10 && any_list_contains(head, "upgrade", "websocket") &&
         any_list_contains(head, "connection", "upgrade");
}

namespace {

// The fields that the rules are about, collected in one pass.
struct HandshakeFields {
  std::size_t hosts = 0;
  std::size_t versions = 0;
  std::size_t keys = 0;
  std::string_view version;  // of the first
  bool upgrade = false;
  bool connection = false;
  bool protocols_valid = true;
  bool extensions_valid = true;
  OpeningHandshake handshake;
};

HandshakeFields read_fields(const http::RequestHead& head) {
  HandshakeFields found;
  for (std::size_t i = 0; i < head.field_count(); ++i) {
    const auto [name, value] = head.field(i);
    if (name == "host") {
      ++found.hosts;
    } else if (name == "upgrade") {
      found.upgrade = found.upgrade || http::list_contains(value, "websocket");
    } else if (name == "connection") {
      found.connection = found.connection || http::list_contains(value, "upgrade");
    } else if (name == "sec-websocket-version") {
      if (++found.versions == 1) found.version = value;
    } else if (name == "sec-websocket-key") {
      if (++found.keys == 1) found.handshake.key = value;
    } else if (name == "sec-websocket-protocol") {
      found.protocols_valid =
          found.protocols_valid && add_subprotocols(value, found.handshake.subprotocols);
    } else if (name == "sec-websocket-extensions") {
      found.extensions_valid =
          found.extensions_valid && read_extensions(value, found.handshake.deflate);
    }
  }
  return found;
}

}  // namespace

std::variant<OpeningHandshake, HandshakeError> check_handshake(const http::RequestHead& head) {
  if (head.method() != "GET") {
    return HandshakeError{405, "The opening handshake must be a GET request", {{"allow", "GET"}}};
  }
  if (head.version != http::Version::Http11)
    return HandshakeError{400, "The opening handshake must be HTTP/1.1", {}};
  HandshakeFields found = read_fields(head);
  if (found.hosts != 1) return HandshakeError{400, "The opening handshake must have one Host", {}};
  if (!found.upgrade) return HandshakeError{400, "Upgrade lacks websocket", {}};
  if (!found.connection) return HandshakeError{400, "Connection lacks upgrade", {}};
  if (found.versions > 1) return HandshakeError{400, "Several Sec-WebSocket-Version", {}};
  if (found.version != kVersion) {
    return HandshakeError{
        426,
        "The WebSocket version must be 13",
        {{"sec-websocket-version", kVersion}, {"upgrade", "websocket"}, {"connection", "upgrade"}}};
  }
  if (found.keys != 1) return HandshakeError{400, "There must be one Sec-WebSocket-Key", {}};
  if (!is_key(found.handshake.key))
    return HandshakeError{400, "Sec-WebSocket-Key is not base64 of 16 bytes", {}};
  if (!found.protocols_valid)
    return HandshakeError{400, "Sec-WebSocket-Protocol is not a list of tokens", {}};
  if (!found.extensions_valid)
    return HandshakeError{400, "Sec-WebSocket-Extensions is not a list of extensions", {}};
  if (has_duplicates(found.handshake.subprotocols))
    return HandshakeError{400, "Sec-WebSocket-Protocol names a subprotocol twice", {}};
  return std::move(found.handshake);
}

namespace {

// SHA-1, looked up once, since the look-up takes longer than a digest, and the memory for a digest.
struct Sha1 {
  std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> algorithm{EVP_MD_fetch(nullptr, "SHA1", nullptr),
                                                            &EVP_MD_free};
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                  &EVP_MD_CTX_free};
};

}  // namespace

std::string accept_key(std::string_view key) {
  std::string text(key);
  text.append("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  thread_local const Sha1 sha1;
  std::array<unsigned char, kSha1Bytes> digest{};
  // SHA-1 is missing only if OpenSSL's provider doesn't offer it or memory has run out.
  if (EVP_DigestInit_ex2(sha1.context.get(), sha1.algorithm.get(), nullptr) != 1 ||
      EVP_DigestUpdate(sha1.context.get(), text.data(), text.size()) != 1 ||
      EVP_DigestFinal_ex(sha1.context.get(), digest.data(), nullptr) != 1)
    throw std::bad_alloc();
  std::array<unsigned char, kAcceptBytes + 1> encoded{};
  EVP_EncodeBlock(encoded.data(), digest.data(), kSha1Bytes);
  return std::string(encoded.begin(), encoded.begin() + kAcceptBytes);
}

void write_accept_response(OutputBuffer& output, std::string_view key, std::string_view subprotocol,
                           std::string_view extensions, const std::vector<http::Field>& fields) {
  const auto write_field = [&output](std::string_view name, std::string_view value) {
    output.append(name);
    output.append(": ");
    output.append(value);
    output.append("\r\n");
  };
  output.append(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
  write_field("Sec-WebSocket-Accept", accept_key(key));
  if (!subprotocol.empty()) write_field("Sec-WebSocket-Protocol", subprotocol);
  if (!extensions.empty()) write_field("Sec-WebSocket-Extensions", extensions);
  for (const http::Field& field : fields) {
    if (!is_reserved(field.name)) write_field(field.name, field.value);
  }
  output.append("\r\n");
}

}  // namespace cppasgi::websocket
