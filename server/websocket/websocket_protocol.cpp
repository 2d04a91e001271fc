// The receiving state machine: header, payload, frame, message. A frame goes through start_frame(),
// receive_payload() and finish_frame(), unless it is plain and lies whole in the input:
// receive_whole_frame() turns such a frame into an event at once. Payloads of compressed messages
// are inflated as their pieces come, so that limits and UTF-8 are checked early, and at the same
// byte however the input is cut.
#include "server/websocket/websocket_protocol.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace cppasgi::websocket {
namespace {

constexpr std::size_t kKeptEvents = 64;
// Each time a message's memory grows, all of its bytes are copied, so it grows in few steps. Pages
// that aren't written to cost nothing yet.
constexpr std::size_t kGrowth = 16;

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

// How much deflate may add to data that don't compress: less than an eighth, and a few bytes
// (zlib.h, deflateBound).
constexpr unsigned kMaxExpansionShift = 3;
constexpr std::uint64_t kMaxExpansionBytes = 64;

std::uint64_t unlimited_if_zero(std::size_t limit) { return limit == 0 ? kUnlimited : limit; }

// Makes room for `more` bytes. The memory grows in proportion to what has arrived, since a header
// may announce any length, and to at most `max_size`, which std::string::reserve() alone would
// exceed.
void reserve_for(std::string& payload, std::size_t more, std::uint64_t max_size) {
  const std::size_t needed = payload.size() + more;
  if (needed <= payload.capacity()) return;
  std::string larger;
  larger.reserve(static_cast<std::size_t>(
      std::min<std::uint64_t>(std::max(needed, kGrowth * payload.capacity()), max_size)));
  larger.append(payload);
  payload.swap(larger);
}

}  // namespace

WebSocketProtocol::WebSocketProtocol(const WebSocketLimits& limits, MessageMemory& memory)
    : limits_(limits), memory_(memory) {}

WebSocketProtocol::~WebSocketProtocol() = default;

void WebSocketProtocol::enable_deflate(std::unique_ptr<MessageDeflate> deflate) {
  deflate_ = std::move(deflate);
  data_bits_ = kRsv1;
}

// --- receiving ---

void WebSocketProtocol::receive_data(std::span<char> input) {
  events_.clear();
  if (events_.capacity() > kKeptEvents) events_ = std::vector<Event>();
  kept_.clear();
  while (!input.empty() && !over()) {
    std::size_t used = 0;
    if (in_payload_) {
      used = receive_payload(input);
    } else {
      if (header_size_ == 0) used = receive_whole_frame(input);
      if (used == 0) used = receive_header(input);
    }
    input = input.subspan(used);
  }
  if (reader_ != nullptr && (over() || (!in_payload_ && message_opcode_ == Opcode::Continuation)))
    reader_.reset();
  if (message_opcode_ != Opcode::Continuation || !memory_.empty()) count_memory();
}

// Updates memory_, once for each input. A message that ends within the input needn't be counted.
void WebSocketProtocol::count_memory() {
  std::size_t bytes = 0;
  if (message_opcode_ != Opcode::Continuation) {
    bytes = message_.capacity();
    if (compressed_) bytes += deflate_->borrowed_bytes();
  }
  if (!memory_.resize(bytes)) fail(kTryAgainLaterCode, kTooMuchUnfinished);
}

// Whether a frame is a whole message and obeys all rules, so that wslay isn't needed.
bool WebSocketProtocol::is_plain(std::size_t header_size, const FrameHeader& header) const {
  return header.final && (header.reserved_bits & ~data_bits_) == 0 && header.masked &&
         (header.opcode == Opcode::Text || header.opcode == Opcode::Binary) &&
         message_opcode_ == Opcode::Continuation && is_minimal(header_size, header) &&
         size_error(header).empty();
}

namespace {

// Control frames are plain too: for most connections the close frame is the only one, and shouldn't
// need a reader.
bool is_plain_control(std::size_t header_size, const FrameHeader& header) {
  return header.final && header.reserved_bits == 0 && header.masked &&
         header_size == kMinHeaderBytes + sizeof header.mask_key &&
         (header.opcode == Opcode::Close || header.opcode == Opcode::Ping ||
          header.opcode == Opcode::Pong);
}

}  // namespace

bool WebSocketProtocol::is_compressed(const FrameHeader& header) const {
  return header.opcode == Opcode::Continuation ? compressed_ : header.reserved_bits != 0;
}

// Returns why a data frame is too long, or nothing if it isn't. The limit for a message counts
// inflated bytes; inflate() checks it for compressed ones.
std::string_view WebSocketProtocol::size_error(const FrameHeader& header) const {
  const std::uint64_t max_frame = unlimited_if_zero(limits_.max_frame_bytes);
  const std::uint64_t excess =
      header.payload_bytes > max_frame ? header.payload_bytes - max_frame : 0;
  if (is_compressed(header)) {
    if (excess > (max_frame >> kMaxExpansionShift) + kMaxExpansionBytes) return kFrameTooBig;
    return {};
  }
  if (excess != 0) return kFrameTooBig;
  if (header.payload_bytes > unlimited_if_zero(limits_.max_message_bytes) - message_.size())
    return "message too big";
  return {};
}

std::size_t WebSocketProtocol::receive_whole_frame(std::span<char> input) {
  if (input.size() < kMinHeaderBytes) return 0;
  const std::size_t header_size = header_bytes(input[1]);
  if (input.size() < header_size) return 0;
  const FrameHeader header = parse_header({input.data(), header_size});
  if (header.payload_bytes > input.size() - header_size) return 0;
  const bool control = is_plain_control(header_size, header);
  if (!control && !is_plain(header_size, header)) return 0;
  const std::span<char> payload =
      input.subspan(header_size, static_cast<std::size_t>(header.payload_bytes));
  apply_mask(payload, header.mask_key, 0);
  const std::string_view bytes(payload.data(), payload.size());
  if (control) {
    frame_ = header;
    control_ = bytes;
    finish_frame();
  } else if (header.reserved_bits != 0) {
    message_opcode_ = header.opcode;
    compressed_ = true;
    if (inflate(bytes)) finish_message();
  } else if (header.opcode == Opcode::Binary) {
    events_.emplace_back(BinaryReceived{bytes});
  } else if (is_valid_utf8(bytes)) {
    events_.emplace_back(TextReceived{bytes});
  } else {
    fail(kInvalidPayloadCode, "invalid UTF-8 in a text message");
  }
  return header_size + payload.size();
}

std::size_t WebSocketProtocol::receive_header(std::span<char> input) {
  std::size_t used = 0;
  while (used < input.size()) {
    header_[header_size_++] = input[used++];
    if (header_size_ >= kMinHeaderBytes && header_size_ == header_bytes(header_[1])) {
      start_frame();
      break;
    }
  }
  return used;
}

void WebSocketProtocol::start_frame() {
  const std::string_view header(header_.data(), header_size_);
  frame_ = parse_header(header);
  plain_ = is_plain(header_size_, frame_);
  header_size_ = 0;
  if (!plain_) {
    if (reader_ == nullptr) reader_ = std::make_unique<FrameReader>();
    if (!reader_->start(header)) {
      return fail(kProtocolErrorCode, frame_.is_control()
                                          ? "control frame fragmented or longer than 125 bytes"
                                          : "frame length not in its shortest form");
    }
    if (!check_sequence()) return;
  }
  if (!frame_.is_control() && frame_.opcode != Opcode::Continuation) {
    message_opcode_ = frame_.opcode;
    compressed_ = frame_.reserved_bits != 0;
    message_received_ = 0;
    ++message_number_;
  }
  payload_left_ = frame_.payload_bytes;
  in_payload_ = true;
  if (payload_left_ == 0) finish_frame();
}

// Checks the rules beyond a header's form: which frame may come now, and how long it may be.
bool WebSocketProtocol::check_sequence() {
  const auto refuse = [this](std::uint16_t code, std::string_view detail) {
    fail(code, detail);
    return false;
  };
  const bool message_open = message_opcode_ != Opcode::Continuation;
  if (!frame_.masked) return refuse(kProtocolErrorCode, "frame not masked");
  const bool first = frame_.opcode == Opcode::Text || frame_.opcode == Opcode::Binary;
  if ((frame_.reserved_bits & ~(first ? data_bits_ : 0)) != 0)
    return refuse(kProtocolErrorCode, "reserved bit set");
  switch (frame_.opcode) {
    case Opcode::Close:
    case Opcode::Ping:
    case Opcode::Pong:
      return true;
    case Opcode::Continuation:
      if (!message_open) return refuse(kProtocolErrorCode, "continuation without a message");
      break;
    case Opcode::Text:
    case Opcode::Binary:
      if (message_open) return refuse(kProtocolErrorCode, "new message inside a fragmented one");
      break;
    default:
      return refuse(kProtocolErrorCode, "reserved opcode");
  }
  const std::string_view error = size_error(frame_);
  return error.empty() || refuse(kMessageTooBigCode, error);
}

std::size_t WebSocketProtocol::receive_payload(std::span<char> input) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(input.size(), payload_left_));
  const std::span<char> piece = input.first(size);
  if (!frame_.is_control()) message_received_ += size;
  if (compressed_ && !frame_.is_control()) {
    receive_compressed(piece);
    return size;
  }
  std::string& payload = frame_.is_control() ? control_ : message_;
  // Only the last fragment tells how long the message is.
  reserve_for(
      payload, size,
      frame_.final ? payload.size() + payload_left_ : unlimited_if_zero(limits_.max_message_bytes));
  if (plain_) {
    apply_mask(piece, frame_.mask_key, frame_.payload_bytes - payload_left_);
    payload.append(piece.data(), size);
  } else {
    reader_->read({piece.data(), size}, payload);
  }
  payload_left_ -= size;
  if (!frame_.is_control() && message_opcode_ == Opcode::Text &&
      !text_.append(std::string_view(payload).substr(payload.size() - size))) {
    fail(kInvalidPayloadCode, "invalid UTF-8 in a text message");
  } else if (payload_left_ == 0) {
    finish_frame();
  }
  return size;
}

void WebSocketProtocol::receive_compressed(std::span<char> piece) {
  std::string unmasked;
  std::string_view bytes(piece.data(), piece.size());
  if (plain_) {
    apply_mask(piece, frame_.mask_key, frame_.payload_bytes - payload_left_);
  } else {
    reader_->read(bytes, unmasked);
    bytes = unmasked;
  }
  payload_left_ -= piece.size();
  if (inflate(bytes) && payload_left_ == 0) finish_frame();
}

// Inflates a piece of a compressed message and appends the result to message_. Returns false after
// fail().
bool WebSocketProtocol::inflate(std::string_view input) {
  bool more = !input.empty();
  while (more) {
    const MessageDeflate::Inflated piece = deflate_->inflate(input);
    if (!append_inflated(piece.bytes)) return false;
    if (piece.invalid) {
      // Like invalid UTF-8 in a text message, the data aren't what the frame says they are (RFC
      // 6455 7.4.1).
      fail(kInvalidPayloadCode, "invalid compressed data");
      return false;
    }
    more = piece.more;
  }
  return true;
}

bool WebSocketProtocol::append_inflated(std::string_view bytes) {
  const std::uint64_t max_message = unlimited_if_zero(limits_.max_message_bytes);
  const bool too_big = bytes.size() > max_message - message_.size();
  if (too_big) bytes = bytes.substr(0, static_cast<std::size_t>(max_message - message_.size()));
  reserve_for(message_, bytes.size(), max_message);
  message_.append(bytes);
  if (message_opcode_ == Opcode::Text && !text_.append(bytes)) {
    fail(kInvalidPayloadCode, "invalid UTF-8 in a text message");
  } else if (too_big) {
    fail(kMessageTooBigCode, "message too big");
  }
  return !failed_;
}

void WebSocketProtocol::finish_frame() {
  in_payload_ = false;
  switch (frame_.opcode) {
    case Opcode::Close:
      finish_close();
      break;
    case Opcode::Ping:
      send(Opcode::Pong, control_);
      control_.clear();
      events_.emplace_back(PingReceived{});
      break;
    case Opcode::Pong:
      events_.emplace_back(PongReceived{keep(control_)});
      break;
    default:
      if (frame_.final) finish_message();
  }
}

bool WebSocketProtocol::finish_inflating() {
  if (!inflate(kFlushTail)) return false;
  if (deflate_->finish_message()) return true;
  fail(kInvalidPayloadCode, "invalid compressed data");
  return false;
}

void WebSocketProtocol::finish_message() {
  if (std::exchange(compressed_, false) && !finish_inflating()) return;
  const Opcode opcode = std::exchange(message_opcode_, Opcode::Continuation);
  if (opcode == Opcode::Binary) {
    events_.emplace_back(BinaryReceived{keep(message_)});
  } else if (text_.complete()) {
    events_.emplace_back(TextReceived{keep(message_)});
  } else {
    fail(kInvalidPayloadCode, "invalid UTF-8 in a text message");
  }
}

void WebSocketProtocol::finish_close() {
  std::uint16_t code = kNoStatusCode;
  std::string_view reason;
  if (!control_.empty()) {
    const std::string_view payload = keep(control_);
    if (payload.size() == 1) return fail(kProtocolErrorCode, "close frame with half a code");
    code = static_cast<std::uint16_t>(static_cast<unsigned char>(payload[0]) << 8 |
                                      static_cast<unsigned char>(payload[1]));
    if (!is_sendable_close_code(code)) return fail(kProtocolErrorCode, "invalid close code");
    reason = payload.substr(2);
    if (!is_valid_utf8(reason)) return fail(kInvalidPayloadCode, "invalid UTF-8 in a close reason");
  }
  send_close(code, {});
  close_received_ = true;
  drop_message();
  events_.emplace_back(CloseReceived{code, reason});
}

void WebSocketProtocol::give_up() {
  failed_ = true;
  drop_message();
}

void WebSocketProtocol::fail(std::uint16_t close_code, std::string_view detail) {
  give_up();
  events_.emplace_back(ProtocolFailed{close_code, detail});
}

void WebSocketProtocol::drop_message() {
  message_opcode_ = Opcode::Continuation;
  std::string().swap(message_);  // an assignment would keep its block
  if (deflate_ != nullptr) deflate_->drop_message();
  memory_.resize(0);
}

// Moves `bytes` to memory that stays valid until the next receive_data().
std::string_view WebSocketProtocol::keep(std::string& bytes) {
  kept_.push_front(std::exchange(bytes, {}));
  return kept_.front();
}

std::string WebSocketProtocol::take(std::string_view payload) {
  const bool kept = !kept_.empty() && kept_.front().data() == payload.data() &&
                    kept_.front().capacity() / 2 <= payload.size();
  return kept ? std::exchange(kept_.front(), {}) : std::string(payload);
}

}  // namespace cppasgi::websocket
