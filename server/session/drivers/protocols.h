// The protocols that a connection may speak. Drivers are made here, so that none has to know
// another.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "server/session/connection/connection.h"
#include "server/session/session_host.h"

namespace cppasgi::session {

class WebSocketSession;

// A protocol that is recognised by the first bytes of a connection.
struct Protocol {
  enum class Match : std::uint8_t { No, Undecided, Yes };
  // Says what the first bytes (one or more, of any number) tell.
  std::function<Match(std::string_view first_bytes)> match;
  std::function<std::unique_ptr<Driver>(SessionHost& host, Connection& connection)> make;
};

// Each needs `host` and `connection` or `transport` to outlive the driver.
// The first of a new connection: HTTP/1, unless its first bytes speak for one of `others`, which
// must outlive the driver.
std::unique_ptr<Driver> make_first_driver(SessionHost& host, Connection& connection,
                                          const std::vector<Protocol>& others);
// Before that: what a proxy says of the client in a preamble.
std::unique_ptr<Driver> make_proxy_driver(SessionHost& host, Connection& connection,
                                          const std::vector<Protocol>& others);
std::unique_ptr<Driver> make_http1_driver(SessionHost& host, Connection& connection);
std::unique_ptr<Driver> make_websocket_driver(SessionHost& host, Transport& transport,
                                              std::unique_ptr<WebSocketSession> session);

}  // namespace cppasgi::session
