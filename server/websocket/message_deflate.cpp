#include "server/websocket/message_deflate.h"

#include <stdexcept>
#include <utility>

namespace cppasgi::websocket {
namespace {

constexpr int kMaxWindowBits = 15;
constexpr std::size_t kBufferBytes = 16 * 1024;  // for one piece of output; more only for a message
                                                 // that needs it
constexpr std::size_t kMaxLatestBytes = 64 * 1024;

bool is_between(int least, int value, int most) { return least <= value && value <= most; }

}  // namespace

DeflatePool::DeflatePool(const WebSocketDeflate& options) : options_(options) {
  if (!is_between(1, options.level, 9) || !is_between(9, options.window_bits, kMaxWindowBits) ||
      !is_between(1, options.memory_level, 9))
    throw std::invalid_argument("permessage-deflate: level, window bits or memory level");
}

std::unique_ptr<MessageDeflate> DeflatePool::accept(const DeflateParameters& offer) {
  if (options_.mode == WebSocketDeflate::Mode::Off) return nullptr;
  if (options_.mode == WebSocketDeflate::Mode::Dedicated) {
    const DeflateParameters answer = answer_offer(offer, options_, Takeover::Yes);
    const std::size_t bytes = dedicated_bytes(answer);
    if (bytes <= options_.max_memory_bytes - reserved_bytes_)
      return std::make_unique<MessageDeflate>(*this, answer, bytes);
  }
  return std::make_unique<MessageDeflate>(*this, answer_offer(offer, options_, Takeover::No), 0);
}

std::size_t DeflatePool::dedicated_bytes(const DeflateParameters& answer) const {
  std::size_t bytes = 0;
  if (!answer.server_no_context_takeover) {
    const int bits = answer.server_max_window_bits.value_or(options_.window_bits);
    bytes += Compressor::memory_bytes(bits, options_.memory_level);
  }
  if (!answer.client_no_context_takeover)
    bytes += Inflater::memory_bytes(answer.client_max_window_bits.value_or(kMaxWindowBits));
  return bytes;
}

std::unique_ptr<Compressor> DeflatePool::make_compressor(int window_bits) const {
  return std::make_unique<Compressor>(options_.level, window_bits, options_.memory_level);
}

std::string_view DeflatePool::compress_alone(std::string_view message, int window_bits) {
  if (latest_.window_bits == window_bits && latest_.message == message) return latest_.compressed;
  std::unique_ptr<Compressor>& compressor = compressors_[static_cast<std::size_t>(window_bits)];
  if (compressor == nullptr) compressor = make_compressor(window_bits);
  const std::string_view compressed = compressor->compress(message, buffer());
  compressor->reset();
  if (message.size() > kMaxLatestBytes) return compressed;
  latest_.message = message;
  latest_.compressed = compressed;
  latest_.window_bits = window_bits;
  return latest_.compressed;
}

// Returns the buffer for one call, in its usual size: an earlier call may have let it grow.
std::vector<char>& DeflatePool::buffer() {
  if (buffer_.size() != kBufferBytes) std::vector<char>(kBufferBytes).swap(buffer_);
  return buffer_;
}

std::unique_ptr<Inflater> DeflatePool::borrow_inflater() {
  if (spare_inflater_ != nullptr) return std::move(spare_inflater_);
  return std::make_unique<Inflater>(kMaxWindowBits);
}

void DeflatePool::return_inflater(std::unique_ptr<Inflater> inflater) {
  inflater->reset();
  spare_inflater_ = std::move(inflater);
}

MessageDeflate::MessageDeflate(DeflatePool& pool, const DeflateParameters& answer,
                               std::size_t reserved_bytes)
    : pool_(pool), answer_(answer), reserved_bytes_(reserved_bytes) {
  pool_.reserved_bytes_ += reserved_bytes_;
}

MessageDeflate::~MessageDeflate() { pool_.reserved_bytes_ -= reserved_bytes_; }

std::optional<std::string_view> MessageDeflate::compress(std::string_view message) {
  if (message.size() < pool_.options_.min_bytes || message.empty()) return std::nullopt;
  const int bits = answer_.server_max_window_bits.value_or(pool_.options_.window_bits);
  if (!answer_.server_no_context_takeover) {
    if (compressor_ == nullptr) compressor_ = pool_.make_compressor(bits);
    return compressor_->compress(message,
                                 pool_.buffer());  // the peer must have it, however long it is
  }
  const std::string_view compressed = pool_.compress_alone(message, bits);
  if (compressed.size() >= message.size()) return std::nullopt;
  return compressed;
}

MessageDeflate::Inflated MessageDeflate::inflate(std::string_view& input) {
  if (inflater_ == nullptr) {
    inflater_ =
        borrows()
            ? pool_.borrow_inflater()
            : std::make_unique<Inflater>(answer_.client_max_window_bits.value_or(kMaxWindowBits));
  }
  std::vector<char>& buffer = pool_.buffer();
  const Inflater::Piece piece = inflater_->inflate(input, buffer);
  return {{buffer.data(), piece.size}, piece.size == buffer.size(), piece.invalid};
}

bool MessageDeflate::finish_message() {
  const bool whole = inflater_->at_block_end();
  drop_message();
  return whole;
}

void MessageDeflate::drop_message() {
  if (borrows() && inflater_ != nullptr) pool_.return_inflater(std::move(inflater_));
}

std::size_t MessageDeflate::borrowed_bytes() const {
  return borrows() && inflater_ != nullptr ? Inflater::memory_bytes(kMaxWindowBits) : 0;
}

}  // namespace cppasgi::websocket
