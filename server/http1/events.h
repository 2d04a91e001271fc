// What a client's bytes mean, as values (RFC 9112). Http1Protocol produces them in wire order.
#pragma once

#include <string_view>
#include <variant>

namespace cppasgi::http1 {

// A whole head has arrived; read it from Http1Protocol::request().
struct RequestReceived {
  friend bool operator==(const RequestReceived&, const RequestReceived&) = default;
};

// Content with its transfer coding taken off. Aliases the input of the receive_data call that
// produced it.
struct ContentReceived {
  std::string_view bytes;
  friend bool operator==(const ContentReceived&, const ContentReceived&) = default;
};

// The request is complete. receive_data consumes nothing more until next_request().
struct EndOfRequest {
  friend bool operator==(const EndOfRequest&, const EndOfRequest&) = default;
};

// The bytes aren't a request this server takes. The last event of a connection: answer with
// `status` if no response has started, then close. `detail` is a static text, safe to send and to
// log.
struct ProtocolError {
  int status = 400;
  std::string_view detail;
  friend bool operator==(const ProtocolError&, const ProtocolError&) = default;
};

using Event = std::variant<RequestReceived, ContentReceived, EndOfRequest, ProtocolError>;

}  // namespace cppasgi::http1
