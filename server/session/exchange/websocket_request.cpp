#include "server/session/exchange/websocket_request.h"

namespace cppasgi::session {

void WebSocketRequest::log(SessionHost& host, std::string_view event, Ending ending,
                           std::uint16_t close_code) const {
  std::chrono::microseconds taken{0};
  if (host.times_requests) {
    taken = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                                  received);
  }
  host.access_log.add({info().client, event, path, 0, 0, &head, taken, ending, close_code});
}

}  // namespace cppasgi::session
