// The input of one connection: reads it while its driver has room, keeps what the driver can't take
// yet, and finds out whether a client that isn't read from is still there. Loop thread only.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "server/net/stream.h"
#include "server/session/connection/connection_host.h"

namespace cppasgi::session {

class Incoming final : private net::StreamObserver {
 public:
  // All must outlive the object.
  Incoming(ConnectionHost& host, Connection& connection, net::Stream& stream)
      : host_(host), connection_(connection), stream_(stream) {}

  void start();
  bool reads() const { return reading_; }
  bool has_ended() const { return ended_; }  // the client's last byte was read
  bool empty() const { return kept_.empty(); }

  // What comes before all that is kept.
  void prepend(std::string_view bytes) { kept_.insert(0, bytes); }
  // Offers the driver what is kept.
  void resume();
  // Reads on if reading had stopped and the driver has room.
  void taken();
  // Nobody will take what is kept.
  void discard();

  // Something was sent just now.
  void note_sent();
  // When to look whether the client is still there; max() for never.
  std::chrono::milliseconds deadline() const;
  void on_deadline(std::chrono::milliseconds now);

 private:
  void on_read(std::span<char> bytes) override;
  void on_end() override;
  void on_error(std::error_code error) override;
  void on_written() override;

  void receive(std::span<char> bytes);
  bool is_full() const;
  void tell_end();
  void stop_if_full();

  ConnectionHost& host_;
  Connection& connection_;
  net::Stream& stream_;
  std::string kept_;
  // Nothing was read, or something was sent, since then.
  std::chrono::milliseconds quiet_since_{0};
  bool reading_ = false;
  bool ended_ = false;
  bool ended_unread_ =
      false;  // the client was seen to have sent its last byte while reading paused
};

}  // namespace cppasgi::session
