// The protocols that a connection may speak. Drivers are made here, so that none has to know
// another.
#pragma once

#include <cstdint>
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

// All arguments of these functions but `session` must outlive the driver.

// Makes the first driver of a connection. It speaks HTTP/1, unless the connection's first bytes
// speak for one of `others`.
std::unique_ptr<Driver> make_first_driver(SessionHost& host, Connection& connection,
                                          const std::vector<Protocol>& others);
// Makes the driver that comes before the first one where a proxy writes a preamble about the
// client.
std::unique_ptr<Driver> make_proxy_driver(SessionHost& host, Connection& connection,
                                          const std::vector<Protocol>& others);
std::unique_ptr<Driver> make_http1_driver(SessionHost& host, Connection& connection);
std::unique_ptr<Driver> make_websocket_driver(SessionHost& host, Transport& transport,
                                              std::unique_ptr<WebSocketSession> session);

}  // namespace cppasgi::session
