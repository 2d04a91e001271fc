// One accepted connection: a stream, and the driver that speaks a protocol on it. Carries bytes
// between the two, makes each side wait for the other, and brings the stream to its end. Knows no
// protocol. Owned by the server; loop thread only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "server/application.h"
#include "server/net/stream.h"
#include "server/session/connection/connection_host.h"
#include "server/session/connection/incoming.h"
#include "server/session/connection/outgoing.h"
#include "server/session/connection/transport.h"

namespace cppasgi::session {

class Connection final : public Transport {
 public:
  // `host` must outlive the connection.
  Connection(ConnectionHost& host, std::unique_ptr<net::Stream> stream);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Reads from now on, what the client sent with its connection at once. `refused`: it is one too
  // many, and the driver tells it so. Call it once.
  void start(std::unique_ptr<Driver> driver, bool refused = false);
  Driver& driver() const { return *driver_; }
  // The two ends of the connection. A step before the first driver may know better than the stream.
  ConnectionInfo info;

  // --- by the server ---

  void flush();   // sends what is to be sent, as flush_later() asked for
  void resume();  // as resume_later() asked for
  std::chrono::milliseconds next_deadline() const;  // max(): none
  void on_deadline(std::chrono::milliseconds now);
  enum class State : std::uint8_t {
    Open,
    Closing,    // the last bytes are going out
    Lingering,  // all is sent; input is discarded until the client closes (RFC 9112 9.6)
    Over,
  };
  State state() const { return state_; }

  // What the server's lists of work note of the connection (server/batch.h).
  struct Listed {
    bool to_flush = false;
    bool to_resume = false;
    std::uint8_t turns_to_wait = 0;
    std::uint8_t times_waited = 0;
    std::size_t index = 0;
  } listed;

  // All that the stream had queued has left.
  void on_written();

  // --- by a driver that needs more than a Transport ---

  Outgoing& outgoing() { return outgoing_; }
  // True when all of `file` has left; if not, Driver::on_writable() follows. The connection is cut
  // if the file can't be read.
  bool send_file(FileSlice& file);

  // --- Transport ---

  void resume_later() override { host_.resume_later(*this); }
  void input_taken() override { incoming_.taken(); }
  bool reads() const override { return incoming_.reads(); }
  std::size_t unsent_bytes() const override;
  bool poll_writable() override;
  void flush_later() override;
  void send_after(std::string_view payload) override;
  bool client_reads_on(std::chrono::milliseconds now) override {
    return outgoing_.client_reads_on(now);
  }
  void replace_driver(std::unique_ptr<Driver> driver, std::string_view unread) override;
  void end() override;
  void cut(Blame blame) override;

 private:
  void write_out(std::string_view tail = {});
  void enter(State state);

  ConnectionHost& host_;
  std::unique_ptr<net::Stream> stream_;
  std::unique_ptr<Driver> driver_;
  std::unique_ptr<Driver> replaced_;  // its code may be on the stack until the batch's end
  Incoming incoming_;
  Outgoing outgoing_;
  std::chrono::milliseconds since_{0};  // of entering the state
  State state_ = State::Open;
  bool driver_waits_ = false;  // for the unsent bytes to fall to the low-water mark
};

}  // namespace cppasgi::session
