// The events that Http1Protocol makes of a client's bytes, in wire order (RFC 9112).
#pragma once

#include <string_view>
#include <variant>

namespace cppasgi::http1 {

// A whole head has arrived; Http1Protocol::request() has it.
struct RequestReceived {
  friend bool operator==(const RequestReceived&, const RequestReceived&) = default;
};

// Content, without its transfer coding. `bytes` points into the input of the receive_data() call
// that made the event.
struct ContentReceived {
  std::string_view bytes;
  friend bool operator==(const ContentReceived&, const ContentReceived&) = default;
};

// The request is complete. receive_data consumes nothing more until next_request().
struct EndOfRequest {
  friend bool operator==(const EndOfRequest&, const EndOfRequest&) = default;
};

// The bytes aren't a request that this server accepts. This is the connection's last event: the
// caller answers with `status` if no response has started, then closes. `detail` is a static text
// that may be sent and logged.
struct ProtocolError {
  int status = 400;
  std::string_view detail;
  friend bool operator==(const ProtocolError&, const ProtocolError&) = default;
};

using Event = std::variant<RequestReceived, ContentReceived, EndOfRequest, ProtocolError>;

}  // namespace cppasgi::http1
