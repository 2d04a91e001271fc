#include "deflate.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "frames.h"

namespace {

constexpr std::uint8_t kTail[] = {0x00, 0x00, 0xFF, 0xFF};  // RFC 7692 7.2.1 takes it off

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

Deflate::Deflate(std::string_view answer) {
  int bits = 15;
  bool named = false;
  while (!answer.empty()) {
    const std::size_t end = std::min(answer.find(';'), answer.size());
    const std::string_view part = trimmed(answer.substr(0, end));
    answer.remove_prefix(std::min(end + 1, answer.size()));
    const std::string_view name = part.substr(0, part.find('='));
    if (!named && name == "permessage-deflate") {
      named = true;
    } else if (name == "server_no_context_takeover") {
      keep_in_ = false;
    } else if (name == "client_no_context_takeover") {
      keep_out_ = false;
    } else if (name == "client_max_window_bits" && part.size() > name.size()) {
      bits = std::atoi(std::string(part.substr(name.size() + 1)).c_str());
    } else if (name != "server_max_window_bits" || !named) {
      throw PeerError("an answer that isn't one to permessage-deflate");
    }
  }
  if (!named || bits < 8 || bits > 15) throw PeerError("a bad answer to permessage-deflate");
  // zlib's raw DEFLATE has no window of 256 bytes. Inflating with the largest window is always
  // right.
  const int window = std::max(bits, 9);
  if (deflateInit2(&out_, 6, Z_DEFLATED, -window, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
      inflateInit2(&in_, -15) != Z_OK) {
    throw std::runtime_error("zlib");
  }
}

Deflate::~Deflate() {
  deflateEnd(&out_);
  inflateEnd(&in_);
}

std::span<const std::uint8_t> Deflate::compress(std::span<const std::uint8_t> message) {
  compressed_.resize(deflateBound(&out_, uLong(message.size())) + 16);
  out_.next_in = const_cast<std::uint8_t*>(message.data());
  out_.avail_in = static_cast<uInt>(message.size());
  out_.next_out = compressed_.data();
  out_.avail_out = static_cast<uInt>(compressed_.size());
  deflate(&out_, Z_SYNC_FLUSH);
  const std::size_t size = compressed_.size() - out_.avail_out;
  if (!keep_out_) deflateReset(&out_);
  return {compressed_.data(), size - sizeof kTail};
}

std::span<const std::uint8_t> Deflate::decompress(std::vector<std::uint8_t>& payload,
                                                  std::size_t most) {
  payload.insert(payload.end(), std::begin(kTail), std::end(kTail));
  decompressed_.resize(most + 1);
  in_.next_in = payload.data();
  in_.avail_in = static_cast<uInt>(payload.size());
  in_.next_out = decompressed_.data();
  in_.avail_out = static_cast<uInt>(decompressed_.size());
  const int status = inflate(&in_, Z_SYNC_FLUSH);
  const std::size_t size = decompressed_.size() - in_.avail_out;
  if ((status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) || size > most) {
    throw PeerError("a message that doesn't decompress to the echo");
  }
  if (!keep_in_ || status == Z_STREAM_END) inflateReset(&in_);
  return {decompressed_.data(), size};
}
