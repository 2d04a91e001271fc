// The output of one connection on its way into the kernel, and the watch over whether its client
// reads on. Loop thread only.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include "server/net/stream.h"
#include "server/session/connection/connection_host.h"

namespace cppasgi::session {

class Outgoing {
 public:
  // Both must outlive the object.
  Outgoing(ConnectionHost& host, net::Stream& stream) : host_(host), stream_(stream) {}

  // Each gives bytes to the stream and returns how many it took (see net::Stream). end() is write()
  // for the last bytes.
  std::size_t write(OutputBuffer& buffer, std::string_view tail = {});
  std::size_t end(OutputBuffer& buffer);
  // False if the file can't be read or has become shorter.
  bool send_file(FileSlice& file);

  // What the stream has taken, but the kernel hasn't.
  std::size_t queued_bytes() const { return stream_.queued_bytes(); }
  // The least that the client can miss of what was sent: a connection that failed has forgotten
  // what was queued.
  std::size_t missing_bytes() const;

  // Something may be queued from now on: the client has to read.
  void watch_client();
  // All that was queued has left.
  void on_written() { queued_since_ = kNothing; }
  // Whether something waits for the client and it has taken some of it since it was looked at last.
  bool client_reads_on(std::chrono::milliseconds now);
  // When it has taken too long for that; max() if nothing waits.
  std::chrono::milliseconds deadline() const;

 private:
  static constexpr std::chrono::milliseconds kNothing = std::chrono::milliseconds::max();

  ConnectionHost& host_;
  net::Stream& stream_;
  std::chrono::milliseconds queued_since_ = kNothing;  // of the last sign that the client reads
  std::size_t queued_bytes_ = 0;                       // then
};

}  // namespace cppasgi::session
