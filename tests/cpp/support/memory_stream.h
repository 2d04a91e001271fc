// A net::Stream without sockets. The session owns the MemoryStream; the Wire is the rest of the
// world and outlives it: the client's end, and a kernel that takes as many bytes as it is told to.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "server/net/stream.h"

namespace cppasgi::test {

class MemoryStream;

class Wire {
 public:
  static constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

  Address client{Address::Family::Tcp, "192.0.2.7", 40000};
  Address server{Address::Family::Tcp, "192.0.2.1", 80};

  // --- what has happened ---

  std::string received;  // by the client
  std::string queued;    // written, but beyond what the kernel took
  bool reading = false;
  bool shut_down = false;  // the server half-closed
  bool closed = false;     // the server dropped the connection
  bool reset = false;      // and the client sees that it was not an orderly end

  // What the client received since the last call.
  std::string take() { return std::exchange(received, {}); }

  // --- the client's side ---

  // In one piece; waits while the session doesn't read.
  void send(std::string_view bytes) {
    inbound_.emplace_back(bytes);
    pump();
  }
  void end() {
    ended_ = true;
    pump();
  }
  void fail() {
    reading = false;
    if (!closed) observer_->on_error(std::make_error_code(std::errc::connection_reset));
  }
  // Bytes that the session hasn't read.
  std::size_t waiting_bytes() const {
    std::size_t size = 0;
    for (const std::string& piece : inbound_) size += piece.size();
    return size;
  }

  // --- the kernel's side ---

  // It takes this many more bytes, then none until told again.
  void limit_room(std::size_t bytes) { room_ = bytes; }
  // It takes all that is queued, and again without limit.
  void drain() {
    room_ = kUnlimited;
    while (!queued.empty() && !closed) {
      received += std::exchange(queued, {});
      observer_->on_written();
    }
  }
  // It takes some of what is queued.
  void drain_some(std::size_t bytes) {
    received += queued.substr(0, bytes);
    queued.erase(0, bytes);
    if (queued.empty()) observer_->on_written();
  }

  // Delivers what waits, as the event loop would: never from inside a call of the session's.
  void pump() {
    while (reading && !inbound_.empty()) {
      const std::string piece = std::move(inbound_.front());
      inbound_.erase(inbound_.begin());
      std::vector<char> copy(piece.begin(), piece.end());  // so that a sanitizer sees a late use
      observer_->on_read(copy);
    }
    if (reading && ended_) {
      reading = false;
      observer_->on_end();
    }
  }

 private:
  friend class MemoryStream;

  net::StreamObserver* observer_ = nullptr;
  std::vector<std::string> inbound_;
  std::size_t room_ = kUnlimited;
  bool ended_ = false;
};

class MemoryStream final : public net::Stream {
 public:
  explicit MemoryStream(std::shared_ptr<Wire> wire) : wire_(std::move(wire)) {}
  ~MemoryStream() override {
    wire_->reading = false;
    wire_->closed = true;
  }

  void start_reading(net::StreamObserver& observer) override {
    wire_->observer_ = &observer;
    wire_->reading = true;
  }
  void read_waiting() override { wire_->pump(); }
  void stop_reading() override { wire_->reading = false; }
  bool has_ended() const override { return wire_->ended_; }
  void bound_reads(std::size_t) override {}  // the test sends in pieces of its own

  using net::Stream::write;
  void write(OutputBuffer& buffer, std::string_view tail) override {
    buffer.append(tail);
    if (buffer.empty() || !wire_->queued.empty()) return;
    const std::size_t size = std::min(buffer.size(), wire_->room_);
    wire_->received += buffer.view().substr(0, size);
    buffer.consume(size);
    if (wire_->room_ != Wire::kUnlimited) wire_->room_ -= size;
    if (!buffer.empty()) wire_->queued = buffer.take();
  }
  std::size_t queued_bytes() const override { return wire_->queued.size(); }
  bool send_file(FileSlice& file) override {
    if (!wire_->queued.empty()) return true;
    // What there is room for, and if that isn't all, a short block that waits.
    std::string bytes(std::min<std::uint64_t>(file.size(), wire_->room_), '\0');
    if (!read(file, bytes)) return false;
    wire_->received += bytes;
    if (wire_->room_ != Wire::kUnlimited) wire_->room_ -= bytes.size();
    std::string block(std::min<std::uint64_t>(file.size(), 10), '\0');
    if (!read(file, block)) return false;
    wire_->queued = block;
    return true;
  }

  void end(OutputBuffer& buffer) override {
    write(buffer);
    if (buffer.empty() && wire_->queued.empty()) wire_->shut_down = true;
  }
  void reset_on_close() override { wire_->reset = true; }

  Address peer() const override { return wire_->client; }
  Address local() const override { return wire_->server; }

 private:
  static bool read(FileSlice& file, std::string& bytes) {
    const ssize_t size =
        pread(file.fd(), bytes.data(), bytes.size(), static_cast<off_t>(file.offset()));
    if (size != static_cast<ssize_t>(bytes.size())) return false;
    file.advance(bytes.size());
    return true;
  }

  std::shared_ptr<Wire> wire_;
};

}  // namespace cppasgi::test
