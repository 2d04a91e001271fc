// One WebSocket of the loader: connecting, the opening handshake, frames in and out, closing.
// Non-blocking on an epoll descriptor; tells its owner what happens through Owner.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "deflate.h"
#include "frames.h"
#include "options.h"

using Clock = std::chrono::steady_clock;

class Connection;

class Owner {
 public:
  virtual void on_open(Connection& connection) = 0;
  virtual void on_message(Connection& connection, std::uint8_t opcode,
                          std::span<const std::uint8_t> message) = 0;
  virtual void on_closed(Connection& connection) = 0;  // in order, after close()

 protected:
  ~Owner() = default;
};

class Connection {
 public:
  enum class Phase : std::uint8_t { New, Handshaking, Open, Closing, Closed };

  struct Sent {
    std::uint64_t seed;
    Clock::time_point at;
  };

  // `options`, `owner` and the epoll descriptor outlive the connection;
  Connection(const Options& options, Owner& owner, int epoll)
      : options_(options), owner_(owner), epoll_(epoll) {}
  ~Connection() { drop(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // All of these throw PeerError for what the peer did wrong; the owner then calls drop().
  void open();                                                // from New or Closed
  void on_events(std::uint32_t events);                       // what epoll said
  void queue_message(std::span<const std::uint8_t> message);  // leaves with flush()
  void flush();
  void close();  // sends a close frame; on_closed() follows when the server has ended TCP
  void drop();   // at once, without a word to the server or the owner

  Phase phase() const { return phase_; }

  std::deque<Sent> sent;  // the owner's: messages whose echo is still owed
  Clock::time_point opened_at;

 private:
  void read();
  std::size_t take(std::span<const std::uint8_t> bytes);
  std::size_t take_handshake(std::span<const std::uint8_t> bytes);
  void take_frame(const Frame& frame);
  void deliver(std::span<const std::uint8_t> payload, std::uint8_t first);
  void queue_frame(std::uint8_t first, std::span<const std::uint8_t> payload);
  void watch(int operation, bool wants_write);

  const Options& options_;
  Owner& owner_;
  int epoll_;
  int fd_ = -1;
  Phase phase_ = Phase::New;
  bool wants_write_ = false;
  bool close_received_ = false;
  std::uint8_t first_ = 0;               // of the message that `fragments_` is the beginning of
  std::vector<std::uint8_t> fragments_;  // its payload so far
  std::vector<std::uint8_t> input_;      // received, not yet a whole frame
  std::vector<std::uint8_t> output_;
  std::size_t written_ = 0;  // bytes of `output_` the kernel has taken
  std::unique_ptr<Deflate> deflate_;
};
