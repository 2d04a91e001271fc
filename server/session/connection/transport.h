// What carries a driver's bytes: a connection, or whatever else brings bytes in order both ways.
// Drivers and exchanges know it by this interface. Loop thread only.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>

#include "server/session/connection/driver.h"

namespace cppasgi::session {

class Transport {
 public:
  // Asks for Driver::resume() at the end of the batch.
  virtual void resume_later() = 0;
  // The driver isn't full any more, or wants no more: reading goes on if it had stopped.
  virtual void input_taken() = 0;
  // Whether the client is read from.
  virtual bool reads() const = 0;

  // Bytes that haven't left, the driver's own included.
  virtual std::size_t unsent_bytes() const = 0;
  // Whether more may be sent: the unsent bytes are at most the high-water mark, if necessary after
  // some were given to the kernel. If not, Driver::on_writable() follows when they are at most the
  // low one.
  virtual bool poll_writable() = 0;
  // What is in the driver's buffer leaves at the end of the batch.
  virtual void flush_later() = 0;
  // flush_later(), with `payload` behind what is in the driver's buffer. A long payload is written
  // now, from where it lies.
  virtual void send_after(std::string_view payload) = 0;
  // Whether bytes wait for the client and it has taken some since this was asked last.
  virtual bool client_reads_on(std::chrono::milliseconds now) = 0;

  // Another driver takes over, now: unsent bytes of this one come before its own. This one dies
  // with the batch, and resume() of the other follows then. `unread` comes before what else is
  // kept.
  virtual void replace_driver(std::unique_ptr<Driver> driver, std::string_view unread) = 0;
  // The end, in order: what is to be sent is sent, and nothing is taken any more.
  virtual void end() = 0;
  // The end, at once, with Driver::disconnect(). A second call does nothing.
  virtual void cut(Blame blame) = 0;

 protected:
  ~Transport() = default;
};

}  // namespace cppasgi::session
