// A small scanner over the grammar of RFC 6455 9.1 and the rules of RFC 7692 7.1 for each
// parameter. It takes time in proportion to the field's length, whatever the field has.
#include "server/websocket/deflate_offer.h"

#include <algorithm>

#include "server/http/syntax.h"

namespace cppasgi::websocket {
namespace {

constexpr std::string_view kName = "permessage-deflate";
constexpr std::string_view kServerNoTakeover = "server_no_context_takeover";
constexpr std::string_view kClientNoTakeover = "client_no_context_takeover";
constexpr std::string_view kServerWindowBits = "server_max_window_bits";
constexpr std::string_view kClientWindowBits = "client_max_window_bits";

constexpr std::uint8_t kMaxWindowBits = 15;
// zlib can't write raw deflate with a window of 8 bits, only its own format.
constexpr std::uint8_t kMinServerWindowBits = 9;

// Removes the parts of a field from its front, and the blanks before and after each.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(http::trim(text)) {}

  bool at_end() const { return text_.empty(); }

  bool take(char byte) {
    if (!text_.starts_with(byte)) return false;
    remove(1);
    return true;
  }

  // Returns a token, or nothing if the field doesn't go on with one.
  std::string_view take_token() {
    std::size_t size = 0;
    while (size < text_.size() && http::is_token(text_.substr(size, 1))) ++size;
    const std::string_view token = text_.substr(0, size);
    remove(size);
    return token;
  }

  // Reads a token, plain or in a quoted-string, whose content must be a token (RFC 6455 9.1).
  // Returns false if there is none.
  bool take_value(std::string& value) {
    if (!text_.starts_with('"')) {
      value = take_token();
      return !value.empty();
    }
    std::size_t index = 1;
    for (; index < text_.size() && text_[index] != '"'; ++index) {
      if (text_[index] == '\\' && ++index == text_.size()) return false;
      value.push_back(text_[index]);
    }
    if (index == text_.size()) return false;
    remove(index + 1);
    return http::is_token(value);
  }

 private:
  void remove(std::size_t size) {
    text_.remove_prefix(size);
    while (text_.starts_with(' ') || text_.starts_with('\t')) text_.remove_prefix(1);
  }

  std::string_view text_;
};

// Returns a number from 8 to 15, in decimal without leading zeros (RFC 7692 7.1.2), or 0 for
// anything else.
std::uint8_t window_bits_of(std::string_view value) {
  if (value == "8" || value == "9") return static_cast<std::uint8_t>(value[0] - '0');
  if (value.size() == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5')
    return static_cast<std::uint8_t>(10 + value[1] - '0');
  return 0;
}

bool set_flag(bool& flag, const std::optional<std::string>& value) {
  if (flag || value) return false;
  return flag = true;
}

bool set_bits(std::optional<std::uint8_t>& bits, std::uint8_t value, std::uint8_t least) {
  if (bits || value < least) return false;
  bits = value;
  return true;
}

// Applies one parameter to an offer. Returns false if the offer has to be declined.
bool add_parameter(DeflateParameters& offer, std::string_view name,
                   const std::optional<std::string>& value) {
  if (name == kServerNoTakeover) return set_flag(offer.server_no_context_takeover, value);
  if (name == kClientNoTakeover) return set_flag(offer.client_no_context_takeover, value);
  const std::uint8_t bits = value ? window_bits_of(*value) : 0;
  if (name == kServerWindowBits)
    return set_bits(offer.server_max_window_bits, bits, kMinServerWindowBits);
  if (name == kClientWindowBits)
    return set_bits(offer.client_max_window_bits, value ? bits : kMaxWindowBits, 1);
  return false;
}

}  // namespace

bool read_extensions(std::string_view field, std::optional<DeflateParameters>& offer) {
  Scanner scanner(field);
  while (true) {
    while (scanner.take(',')) {
    }
    if (scanner.at_end()) return true;
    const std::string_view extension = scanner.take_token();
    if (extension.empty()) return false;
    DeflateParameters parameters;
    bool valid = extension == kName;
    while (scanner.take(';')) {
      const std::string_view name = scanner.take_token();
      if (name.empty()) return false;
      std::optional<std::string> value;
      if (scanner.take('=') && !scanner.take_value(value.emplace())) return false;
      valid = valid && add_parameter(parameters, name, value);
    }
    if (!scanner.at_end() && !scanner.take(',')) return false;
    if (valid && !offer) offer = parameters;
  }
}

DeflateParameters answer_offer(const DeflateParameters& offer, const WebSocketDeflate& options,
                               Takeover allowed) {
  const auto most = static_cast<std::uint8_t>(options.window_bits);
  const bool none = allowed == Takeover::No;
  DeflateParameters answer;
  answer.server_no_context_takeover = none || offer.server_no_context_takeover;
  answer.client_no_context_takeover = none || offer.client_no_context_takeover;
  if (offer.server_max_window_bits)
    answer.server_max_window_bits = std::min(*offer.server_max_window_bits, most);
  // This matters only if the connection has an inflater of its own.
  if (offer.client_max_window_bits && !answer.client_no_context_takeover)
    answer.client_max_window_bits = std::min(*offer.client_max_window_bits, most);
  return answer;
}

std::string extension_field(const DeflateParameters& answer) {
  std::string field(kName);
  const auto add = [&field](std::string_view name) { field.append("; ").append(name); };
  if (answer.server_no_context_takeover) add(kServerNoTakeover);
  if (answer.client_no_context_takeover) add(kClientNoTakeover);
  const auto add_bits = [&](std::string_view name, std::optional<std::uint8_t> bits) {
    if (!bits) return;
    add(name);
    field.append("=").append(std::to_string(*bits));
  };
  add_bits(kServerWindowBits, answer.server_max_window_bits);
  add_bits(kClientWindowBits, answer.client_max_window_bits);
  return field;
}

}  // namespace cppasgi::websocket
