// A driver speaks one protocol on a connection: it turns the client's bytes into work for the
// application, and leaves the bytes that answer them in its buffer. A connection knows its driver
// by this interface only; where a function has a body, it is right for a protocol that has no such
// thing. Loop thread only.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string_view>

#include "server/base/output_buffer.h"
#include "server/in_progress.h"
#include "server/options.h"

namespace cppasgi::session {

// A connection that is dropped is the fault of one of these.
enum class Blame : bool { Client, Server };

// What a driver is busy with.
struct Activity {
  InProgress in_progress;
  // Driver::drain() would end something that has no end of its own, whose client then comes again:
  // an open WebSocket, or server-sent events.
  bool client_returns = false;
  // An application owes the client an answer, for which it has no time-out of its own. While
  // nothing is read meanwhile, the connection looks whether the client is still there.
  bool awaits_application = false;
  // More to send will soon follow on what is to be sent now: a flush may wait for it.
  bool answers_soon = false;
  // Since when nothing is asked of the server; max() if something is.
  std::chrono::milliseconds idle_since = std::chrono::milliseconds::max();
};

class Driver {
 public:
  // What is the same for as long as a driver lives.
  struct Bounds {
    Watermarks unsent;           // what may wait to be sent
    std::size_t most_bytes = 0;  // that receive() is given at once; 0: the stream's own choice
  };

  explicit Driver(const Bounds& bounds_in) : bounds(bounds_in) {}
  virtual ~Driver() = default;

  const Bounds bounds;

  // --- input ---

  // Takes bytes of the client's, which it may overwrite, and returns how many. The connection keeps
  // the rest and offers it again at the end of a batch, once Transport::resume_later() was called.
  virtual std::size_t receive(std::span<char> bytes) = 0;
  // Too much of what came waits for the application. The connection stops reading then, until
  // Transport::input_taken() is called and this is false.
  virtual bool is_full() { return false; }
  // Reading has stopped as is_full() was true, or goes on.
  virtual void on_reading(bool /*reads*/) {}
  // The batch in which Transport::resume_later() was called is over. Bytes that were kept follow.
  virtual void resume() {}
  // The client has sent its last byte. `kept` says that the connection still keeps some.
  virtual void on_end(bool kept) = 0;

  // --- output ---

  // What the connection is to send. It stays the same object as long as the driver lives.
  virtual OutputBuffer& bytes_to_send() = 0;
  // There is room again, after Transport::poll_writable() was false or a file was sent in part.
  virtual void on_writable() {}

  // --- ends ---

  // The server stops: what is in progress is brought to its end, and nothing new begins.
  virtual void drain() = 0;
  // The time for that is over: what is in progress ends now, with an error where one can be sent.
  virtual void cut_short() = 0;
  // There are too many connections: this one, which is new, is told so and ends.
  virtual void refuse() { cut_short(); }
  // The connection is gone, by the fault of `blame`; the application hears of it. Returns whether
  // the client would take what it has received for a whole response if the connection ended as
  // usual.
  virtual bool disconnect(Blame /*blame*/) { return false; }
  // After the last byte of a connection that ends: whether the client may still be sending.
  virtual bool client_may_send() const = 0;

  // --- state ---

  virtual Activity activity() const = 0;
  // When on_deadline() is to be called; max() for never. The host has to be told of an earlier one
  // than before (ConnectionHost::expect_deadline).
  virtual std::chrono::milliseconds next_deadline() const {
    return std::chrono::milliseconds::max();
  }
  virtual void on_deadline(std::chrono::milliseconds /*now*/) {}
  // Writes a line for the operator that names the client. `what` is a static text.
  virtual void log(std::string_view what) const = 0;
};

}  // namespace cppasgi::session
