// A connected byte stream, without uv types: what a session reads from and writes to. UvStream
// implements it on libuv, tests implement it in memory.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>

#include "server/base/address.h"
#include "server/base/file_slice.h"
#include "server/base/output_buffer.h"

namespace cppasgi::net {

// Called from the event loop. A call may destroy neither the stream nor the observer (a session
// defers its end).
class StreamObserver {
 public:
  // Bytes from the peer; valid during the call, in which they may be overwritten.
  virtual void on_read(std::span<char> bytes) = 0;
  // The peer has sent its last byte.
  virtual void on_end() = 0;
  // The stream is dead: nothing more is read or written.
  virtual void on_error(std::error_code error) = 0;
  // All bytes given to write() have left.
  virtual void on_written() = 0;

 protected:
  ~StreamObserver() = default;
};

class Stream {
 public:
  virtual ~Stream() = default;  // drops the connection, unsent bytes with it

  virtual void start_reading(StreamObserver& observer) = 0;
  // Passes on what has come already, if anything, before it returns. Precondition: it is reading.
  virtual void read_waiting() = 0;
  virtual void stop_reading() = 0;
  // Whether the peer has sent its last byte, or a reset, though what came before wasn't read yet.
  virtual bool has_ended() const = 0;
  // At most so many bytes at once from now on.
  virtual void bound_reads(std::size_t bytes) = 0;

  // Writes what the kernel takes now of the buffer and, after it, of `tail`. With nothing queued,
  // the rest is queued (the buffer is emptied) and on_written follows; while something is queued,
  // the buffer only gets the tail appended.
  virtual void write(OutputBuffer& buffer, std::string_view tail) = 0;
  void write(OutputBuffer& buffer) { write(buffer, {}); }
  virtual std::size_t queued_bytes() const = 0;  // what of it hasn't left yet
  // Sends what the kernel takes of `file` now, within a bound, and advances it. Unless nothing is
  // left, on_written follows in a later turn, and the caller goes on then. While something is
  // queued, the file is left alone. False when it can't be read or is shorter than it was.
  virtual bool send_file(FileSlice& file) = 0;

  // As write(), for the last bytes: the peer reads an end behind them, in the same packet where
  // they fit. Unless all of them have left, on_written follows, and the caller calls again.
  virtual void end(OutputBuffer& buffer) = 0;
  // Makes the destructor send a reset instead of an orderly end, so that the peer sees that
  // something is missing.
  virtual void reset_on_close() = 0;

  virtual Address peer() const = 0;
  virtual Address local() const = 0;
};

}  // namespace cppasgi::net
