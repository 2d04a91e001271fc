// A connected byte stream that a connection reads from and writes to, without types of libuv.
// UvStream implements it on libuv; tests implement it in memory.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>

#include "server/base/address.h"
#include "server/base/file_slice.h"
#include "server/base/output_buffer.h"

namespace cppasgi::net {

// The event loop calls these. A call must destroy neither the stream nor the observer; connections
// end later, at the end of the batch.
class StreamObserver {
 public:
  // The peer has sent `bytes`. They are valid during the call, and may be overwritten.
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
  // Reads what has arrived already, if anything, and passes it to the observer before it returns.
  // Precondition: the stream is reading.
  virtual void read_waiting() = 0;
  virtual void stop_reading() = 0;
  // Whether the peer has sent its last byte, or a reset, even if bytes before it haven't been read
  // yet.
  virtual bool has_ended() const = 0;
  // Limits how many bytes on_read() gets at once from now on.
  virtual void bound_reads(std::size_t bytes) = 0;

  // Writes as much of the buffer, and then of `tail`, as the kernel takes now. The rest is queued,
  // the buffer is left empty, and on_written() follows. While bytes are queued already, the tail is
  // only appended to the buffer.
  virtual void write(OutputBuffer& buffer, std::string_view tail) = 0;
  void write(OutputBuffer& buffer) { write(buffer, {}); }
  virtual std::size_t queued_bytes() const = 0;  // what of it hasn't left yet
  // Sends as much of `file` as the kernel takes now, within a limit, and advances it. If some of it
  // is left, on_written() follows in a later turn, and the caller calls again. While bytes are
  // queued it does nothing. Returns false if the file can't be read or has become shorter.
  virtual bool send_file(FileSlice& file) = 0;

  // Like write(), for the last bytes: the peer reads the end of the stream after them, in the same
  // packet if they fit. If some of them are left, on_written() follows, and the caller calls again.
  virtual void end(OutputBuffer& buffer) = 0;
  // Makes the destructor send a reset instead of an orderly end, so that the peer sees that
  // something is missing.
  virtual void reset_on_close() = 0;

  virtual Address peer() const = 0;
  virtual Address local() const = 0;
};

}  // namespace cppasgi::net
