// The server: owns listeners and connections on one event loop and hands requests to one
// application. Loop thread only.
//
// Whoever runs the loop calls finish_batch() after each tick. The work that connections put off
// (writing, pipelined requests, ends) is done there, so that the responses of a batch leave
// together.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "server/application.h"
#include "server/in_progress.h"
#include "server/options.h"

namespace cppasgi {

struct Metrics;

namespace net {
class EventLoop;
}
namespace session {
struct Protocol;
}

class Server {
 public:
  // `loop` and `application` must outlive the server. `access_log_fd` stays the caller's; -1 for no
  // log.
  Server(net::EventLoop& loop, Application& application, const ServerOptions& options,
         int access_log_fd = -1);
  ~Server();  // drops every connection; handlers still hear of it
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Connections whose first bytes match speak `protocol` instead of HTTP/1. Before start().
  void add_protocol(session::Protocol protocol);
  // Each reserves an address, accepting nothing yet, and returns it. Throws std::system_error. Port
  // 0 takes a free one.
  Address bind_tcp(const std::string& host, std::uint16_t port,
                   const ListenerOptions& options = {});
  Address bind_unix(const std::string& path, const ListenerOptions& options = {});
  // Owns `fd` from then on, unless it throws.
  Address adopt(int fd, const ListenerOptions& options = {});
  // Accepts on every bound address. Throws std::system_error.
  void start();

  // Does what the batch put off. Cheap when there is nothing.
  void finish_batch();
  // A turn of the loop is over. A response waits when a pipelined request has begun behind it, so
  // that both responses leave in one write: until the second call of this, when the application has
  // had its chance to answer at once, or until sixteen of them, or more than may be unsent, wait.
  void end_turn();
  bool flush_waits() const;
  // `hook` is called when something was put off outside of a batch, once until the next
  // finish_batch.
  void set_batch_hook(std::function<void()> hook);

  // Calls `call` once, at the end of the batch in which the server has answered so many requests
  // and opening handshakes.
  void call_after(std::uint64_t requests, std::function<void()> call);

  // Accepts the connections that wait already, and no more, and ends every connection politely:
  // idle ones now (some seconds later before a restart), exchanges after their response. WebSockets
  // (with 1001 or 1012) and server-sent events end one after the other over `window`, lest all
  // clients return at once. Returns what there is to end.
  InProgress drain(ShutdownReason reason = ShutdownReason::Stop,
                   std::chrono::milliseconds window = std::chrono::milliseconds(0));
  bool draining() const;
  // Ends what is still in progress: requests get 503, or a cut where the response has begun.
  void cut_short();
  // Drops every connection and listener now.
  void abort();

  // In a forked child, before EventLoop::disown(): lets go of everything without touching it, as it
  // is the parent's. Responders are gone, and handlers hear nothing of it. Connections are never
  // freed.
  void disown();

  std::size_t connections() const;
  Metrics& metrics();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cppasgi
