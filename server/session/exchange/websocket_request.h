// The request that asked for a WebSocket, kept for as long as lines of the access log are written
// about it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "server/application.h"
#include "server/session/session_host.h"

namespace cppasgi::session {

struct WebSocketRequest {
  http::RequestHead head;                     // may be emptied once the handshake is over
  const ConnectionInfo* connection;           // outlives the object
  std::unique_ptr<ConnectionInfo> forwarded;  // what a trusted proxy says instead; null: nothing
  std::chrono::steady_clock::time_point received;  // if SessionHost::times_requests
  std::string path;

  const ConnectionInfo& info() const { return forwarded == nullptr ? *connection : *forwarded; }
  // Writes a line of the access log. `close_code` 0: none.
  void log(SessionHost& host, std::string_view event, Ending ending = Ending::Whole,
           std::uint16_t close_code = 0) const;
};

}  // namespace cppasgi::session
