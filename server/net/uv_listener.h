// A bound socket that accepts connections after listen(): TCP (IPv4 or IPv6), Unix, or an inherited
// descriptor. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <system_error>

#include "server/base/address.h"
#include "server/net/stream.h"

namespace cppasgi::net {

class EventLoop;

class UvListener {
 public:
  using OnAccept = std::function<void(std::unique_ptr<Stream>)>;
  using OnShortage = std::function<void(std::error_code)>;

  // Each throws std::system_error on failure. `host` may be a name, whose first address is used.
  // Port 0 means any free port.
  static std::unique_ptr<UvListener> bind_tcp(EventLoop& loop, const std::string& host,
                                              std::uint16_t port);
  static std::unique_ptr<UvListener> bind_unix(EventLoop& loop, const std::string& path);
  static std::unique_ptr<UvListener> adopt(EventLoop& loop, int fd);  // owns `fd` from then on
  ~UvListener();                                                      // stops accepting
  UvListener(const UvListener&) = delete;
  UvListener& operator=(const UvListener&) = delete;

  Address address() const;
  // Starts accepting; throws std::system_error. When accepting a waiting connection fails, mostly
  // because no descriptor is free (EMFILE), `on_shortage` is called once, and accepting is tried
  // again from time to time.
  void listen(int backlog, OnAccept on_accept, OnShortage on_shortage = [](std::error_code) {});
  // Accepts the connections that are waiting, before it returns.
  void accept_waiting();

  struct State;

 private:
  explicit UvListener(State* state) : state_(state) {}

  State* state_;  // freed by libuv's close callback
};

}  // namespace cppasgi::net
