// permessage-deflate (RFC 7692) of one client connection, with zlib: as a browser offers it, with
// the context kept between messages unless the server says otherwise.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <zlib.h>

class Deflate {
 public:
  static constexpr std::string_view kOffer = "permessage-deflate; client_max_window_bits";
  // Each message compressed by itself, in both directions.
  static constexpr std::string_view kOfferAlone =
      "permessage-deflate; client_max_window_bits; server_no_context_takeover; "
      "client_no_context_takeover";

  // `answer` is the value of Sec-WebSocket-Extensions in the server's answer. Throws PeerError when
  // it isn't one to the offer.
  explicit Deflate(std::string_view answer);
  ~Deflate();
  Deflate(const Deflate&) = delete;
  Deflate& operator=(const Deflate&) = delete;

  // The payload of a message's frame; good until the next call.
  std::span<const std::uint8_t> compress(std::span<const std::uint8_t> message);
  // The message; throws PeerError when it is no DEFLATE data or longer than `most` bytes.
  std::span<const std::uint8_t> decompress(std::vector<std::uint8_t>& payload, std::size_t most);

 private:
  z_stream out_{}, in_{};
  bool keep_out_ = true, keep_in_ = true;
  std::vector<std::uint8_t> compressed_, decompressed_;
};
