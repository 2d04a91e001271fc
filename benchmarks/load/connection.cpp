#include "connection.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <random>
#include <string_view>

namespace {

// The sample nonce of RFC 6455 section 1.3: its answer is known, so checking it takes no SHA-1.
constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
constexpr std::uint8_t kNormalClosure[] = {1000 >> 8, 1000 & 0xFF};
constexpr std::size_t kReadBytes = 256 * 1024;

std::uint32_t next_key() {
  static std::mt19937 random(20);
  return static_cast<std::uint32_t>(random());
}

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

const Address& resolve(const Options& options) {
  static const Address address = [&] {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int status = getaddrinfo(options.host.c_str(), options.port.c_str(), &hints, &found);
    if (status != 0) throw std::runtime_error(gai_strerror(status));
    Address first;
    first.length = found->ai_addrlen;
    std::memcpy(&first.storage, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return first;
  }();
  return address;
}

// The value of a field of a response head; empty when it isn't there.
std::string_view field(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(std::min(line.size() + 2, head.size()));
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    const bool same = std::equal(name.begin(), name.end(), line.begin(),
                                 [](char a, char b) { return std::tolower(a) == std::tolower(b); });
    if (!same) continue;
    const std::string_view value = line.substr(name.size() + 1);
    return value.substr(std::min(value.find_first_not_of(' '), value.size()));
  }
  return {};
}

}  // namespace

void Connection::open() {
  const Address& address = resolve(options_);
  phase_ = Phase::Handshaking;
  const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  fd_ = ::socket(address.storage.ss_family, type, 0);
  if (fd_ < 0) throw PeerError(std::strerror(errno));
  const int one = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  close_received_ = false;
  opened_at = Clock::now();
  const auto* to = reinterpret_cast<const sockaddr*>(&address.storage);
  const int connected = ::connect(fd_, to, address.length);
  if (connected != 0 && errno != EINPROGRESS) throw PeerError(std::strerror(errno));
  watch(EPOLL_CTL_ADD, true);

  std::string request = "GET " + options_.path + " HTTP/1.1\r\nHost: " + options_.host + ":" +
                        options_.port +
                        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
                        "13\r\nSec-WebSocket-Key: " +
                        std::string(kKey) + "\r\n";
  if (!options_.deflate.empty()) {
    request += "Sec-WebSocket-Extensions: " + std::string(options_.deflate) + "\r\n";
  }
  request += "\r\n";
  output_.assign(request.begin(), request.end());
}

void Connection::on_events(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush();
  if ((events & ~std::uint32_t{EPOLLOUT}) != 0 && fd_ >= 0) read();
}

void Connection::flush() {
  if (fd_ < 0) return;
  const std::size_t left = output_.size() - written_;
  const ssize_t n = left == 0 ? 0 : ::send(fd_, output_.data() + written_, left, MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN && errno != EINTR) throw PeerError(std::strerror(errno));
  if (n > 0) written_ += static_cast<std::size_t>(n);
  const bool wants_write = written_ < output_.size();
  if (!wants_write) {
    output_.clear();
    written_ = 0;
  }
  if (wants_write != wants_write_) watch(EPOLL_CTL_MOD, wants_write);
}

void Connection::watch(int operation, bool wants_write) {
  epoll_event event{};
  event.events = wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = this;
  epoll_ctl(epoll_, operation, fd_, &event);
  wants_write_ = wants_write;
}

void Connection::read() {
  static std::vector<std::uint8_t> scratch(kReadBytes);
  const std::size_t kept = input_.size();
  if (kept > 0) input_.resize(kept + kReadBytes);
  std::uint8_t* const to = kept > 0 ? input_.data() + kept : scratch.data();
  const ssize_t n = ::recv(fd_, to, kReadBytes, 0);
  const int error = errno;
  if (kept > 0) input_.resize(kept + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  if (n < 0 && (error == EAGAIN || error == EINTR)) return;
  if (n < 0) throw PeerError(std::strerror(error));
  if (n == 0) {
    if (!close_received_) throw PeerError("the server closed the connection without a close frame");
    drop();
    return owner_.on_closed(*this);
  }
  const std::span<const std::uint8_t> received{to, static_cast<std::size_t>(n)};
  const std::span<const std::uint8_t> bytes =
      kept > 0 ? std::span<const std::uint8_t>(input_) : received;
  const std::size_t used = take(bytes);
  if (kept == 0) {
    input_.assign(bytes.begin() + static_cast<std::ptrdiff_t>(used), bytes.end());
  } else {
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(used));
  }
  flush();
}

// Handles what is complete at the start of `bytes` and returns how long that was.
std::size_t Connection::take(std::span<const std::uint8_t> bytes) {
  std::size_t used = 0;
  if (phase_ == Phase::Handshaking) {
    used = take_handshake(bytes);
    if (used == 0) return 0;
    phase_ = Phase::Open;
    owner_.on_open(*this);
  }
  Frame frame;
  // A compressed message can be a little longer than what it holds.
  const std::size_t most = options_.size + 64;
  while (!close_received_ && read_frame(bytes.subspan(used), most, frame)) {
    used += frame.size;
    take_frame(frame);
  }
  return close_received_ ? bytes.size() : used;
}

std::size_t Connection::take_handshake(std::span<const std::uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  const std::string_view head = text.substr(0, end);
  if (!head.starts_with("HTTP/1.1 101")) throw PeerError("the handshake was refused");
  if (field(head, "Sec-WebSocket-Accept") != kAccept) throw PeerError("wrong Sec-WebSocket-Accept");
  const std::string_view extensions = field(head, "Sec-WebSocket-Extensions");
  if (options_.deflate.empty() && !extensions.empty())
    throw PeerError("an extension nobody offered");
  if (!options_.deflate.empty() && extensions.empty())
    throw PeerError("permessage-deflate was declined");
  if (!options_.deflate.empty()) deflate_ = std::make_unique<Deflate>(extensions);
  return end + 4;
}

void Connection::take_frame(const Frame& frame) {
  const std::uint8_t opcode = frame.first & 0x0F;
  if (opcode == kPong) return;
  if (opcode == kPing) {
    if (phase_ == Phase::Open) queue_frame(kFin | kPong, frame.payload);
    return;
  }
  if (opcode == kClose) {
    if (phase_ != Phase::Closing) throw PeerError("the server sent a close frame");
    close_received_ = true;
    return;
  }
  if ((opcode == kContinuation) != (first_ != 0)) throw PeerError("fragments out of order");
  const bool whole = (frame.first & kFin) != 0;
  if (whole && opcode != kContinuation) return deliver(frame.payload, frame.first);
  if (opcode != kContinuation) first_ = frame.first;
  fragments_.insert(fragments_.end(), frame.payload.begin(), frame.payload.end());
  if (fragments_.size() > options_.size + 64) throw PeerError("wrong echo");
  if (!whole) return;
  const std::vector<std::uint8_t> payload = std::move(fragments_);
  fragments_.clear();
  deliver(payload, std::exchange(first_, std::uint8_t{0}));
}

void Connection::deliver(std::span<const std::uint8_t> payload, std::uint8_t first) {
  const std::uint8_t opcode = first & 0x0F;
  if ((first & kCompressed) == 0) return owner_.on_message(*this, opcode, payload);
  if (!deflate_) throw PeerError("a compressed message nobody agreed on");
  std::vector<std::uint8_t> compressed(payload.begin(), payload.end());
  owner_.on_message(*this, opcode, deflate_->decompress(compressed, options_.size));
}

void Connection::queue_message(std::span<const std::uint8_t> message) {
  const std::uint8_t first = kFin | options_.opcode;
  if (!deflate_) return queue_frame(first, message);
  queue_frame(first | kCompressed, deflate_->compress(message));
}

void Connection::queue_frame(std::uint8_t first, std::span<const std::uint8_t> payload) {
  write_frame(output_, first, payload, next_key());
}

void Connection::close() {
  if (phase_ != Phase::Open) return;
  phase_ = Phase::Closing;
  queue_frame(kFin | kClose, kNormalClosure);
}

void Connection::drop() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  phase_ = Phase::Closed;
  wants_write_ = false;
  first_ = 0;
  fragments_.clear();
  input_.clear();
  output_.clear();
  written_ = 0;
  deflate_.reset();
}
