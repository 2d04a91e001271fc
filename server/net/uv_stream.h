// A connected TCP or Unix stream on libuv. It reads into the buffer of its loop, and has memory of
// its own only for bytes that the kernel hasn't taken yet. Loop thread only.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "server/net/stream.h"

namespace cppasgi::net {

class EventLoop;

class UvStream final : public Stream {
 public:
  // Makes a stream of `fd`, a connected and non-blocking socket, and owns it. `peer` is the address
  // that accept() gave; `local` is the address of this end, or null if it isn't known and the
  // kernel has to be asked. Returns null, and closes the socket, if libuv refuses it.
  static std::unique_ptr<UvStream> adopt(EventLoop& loop, int fd, Address peer,
                                         std::shared_ptr<const Address> local);
  ~UvStream() override;

  void start_reading(StreamObserver& observer) override;
  void read_waiting() override;
  void stop_reading() override;
  bool has_ended() const override;
  void bound_reads(std::size_t bytes) override;
  using Stream::write;
  void write(OutputBuffer& buffer, std::string_view tail) override;
  std::size_t queued_bytes() const override;
  bool send_file(FileSlice& file) override;
  void end(OutputBuffer& buffer) override;
  void reset_on_close() override { reset_ = true; }
  Address peer() const override { return peer_; }
  Address local() const override;

  struct State;

 private:
  void send_or_queue(OutputBuffer& buffer, std::string_view tail, int flags);
  void queue(std::string bytes);

  UvStream(EventLoop& loop, Address peer, std::shared_ptr<const Address> local);

  EventLoop& loop_;
  State* state_;  // freed by libuv's close callback
  Address peer_;
  std::shared_ptr<const Address> local_;
  bool reset_ = false;
};

}  // namespace cppasgi::net
