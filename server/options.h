// What an operator may set, as plain values: limits, times and header switches, each with a finite
// default and its reason. Validation belongs to whoever fills them in (the command line); the core
// takes them as given.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cppasgi {

// Bounds on one HTTP request (RFC 9112 section 3 and 5 leave them to the server).
struct HttpLimits {
  std::size_t max_target_bytes = 16 * 1024;  // 414 beyond; Daphne's longest line
  std::size_t max_header_bytes = 64 * 1024;  // all field lines together; 431 beyond
  std::size_t max_header_count = 128;        // 431 beyond
  std::uint64_t max_content_bytes = 0;       // 413 beyond; 0 = unlimited, as an application
                                             // may want to take uploads of any size
  bool daphne_strict = false;  // HTTP/1.1 does without Host, values without NEL, CONNECT is allowed
};

// Bounds on connections. Zero is no limit.
struct ConnectionLimits {
  std::size_t max_connections = 65'536;  // at a time; the next ones get 503
  std::size_t replace_idle_at = 0;  // from so many on, the next one takes the place of the one that
                                    // has been without a request for longest, if any is. Looks at
                                    // all of them: for small numbers
  std::uint32_t max_requests = 100'000;  // of one connection, then "connection: close": who
                                         // balances load over processes gets to choose again
};

// What becomes of a client for which more waits than may: send() waits for it, or it is dropped
// (close 1013) at the next message.
enum class SlowReader : std::uint8_t { Wait, Drop };

// Bounds on one WebSocket (RFC 6455 section 10.4).
struct WebSocketLimits {
  std::size_t max_message_bytes =
      1024 * 1024;                            // close 1009 beyond; Daphne's default. 0 = unlimited
  std::size_t max_frame_bytes = 1024 * 1024;  // likewise for one frame
  std::size_t max_queued_messages = 1024;     // not yet taken by the application: reading stops
  std::size_t max_unsent_bytes = 16 * 1024;  // beyond it slow_reader says what happens; one message
                                             // of any size may come on top
  SlowReader slow_reader = SlowReader::Wait;
  std::size_t max_unfinished_bytes =
      64 * 1024 * 1024;  // memory of the messages, of all connections, of which parts have come:
                         // the next to grow is closed (1013), unless it is the only one. 0 = none
};

// permessage-deflate (RFC 7692) for WebSockets whose client offers it. The reasons and measurements
// are in docs/design/0005-permessage-deflate.md.
struct WebSocketDeflate {
  enum class Mode : std::uint8_t {
    Off,        // declined
    Shared,     // each message by itself, with one compressor and one inflater for all connections
    Dedicated,  // each connection has its own, which remember earlier messages; a client may still
                // ask for Shared
  };
  Mode mode = Mode::Shared;
  int level = 1;         // 1 to 9, zlib's; of 1 KiB of JSON 6 makes 4 % less in 1.5 times the time
  int window_bits = 13;  // 9 to 15; 8 KiB to look back in, as messages are seldom longer
  int memory_level = 5;  // 1 to 9, zlib's; with the window a sixth of zlib's default memory
  std::size_t min_bytes = 256;  // shorter messages, which fit in a packet anyway, leave as they are
  std::size_t max_memory_bytes =
      64 * 1024 * 1024;  // of all dedicated streams together; beyond it connections share
};

// Zero switches a time-out off, and so does max().
struct Timeouts {
  std::chrono::milliseconds request_head{30'000};     // first byte to end of header section: 408
  std::chrono::milliseconds request_content{60'000};  // between two pieces of it: 408; as nginx
  std::chrono::milliseconds response_start{0};  // of the application, once the request is here: 503
  std::chrono::milliseconds send{60'000};       // until a client takes a byte of what waits for it;
                                                // as nginx
  std::chrono::milliseconds keep_alive{75'000};  // between two requests; as nginx
  std::chrono::milliseconds websocket_handshake{
      5'000};  // application's answer to the opening handshake; as Daphne
  std::chrono::milliseconds websocket_close{
      5'000};  // peer's answer to our close frame, then the connection is dropped
  std::chrono::milliseconds websocket_age{86'400'000};  // of an open one: close 1000; as Daphne
  std::chrono::milliseconds websocket_idle{0};          // without a message either way: close 1000
  std::chrono::milliseconds websocket_message{
      60'000};  // for each 16 KiB of a message that comes in parts, or its rest: close 1008
  std::chrono::milliseconds ping_interval{20'000};  // quiet time before a ping; as Daphne
  std::chrono::milliseconds ping_timeout{30'000};   // without any answer to it; as Daphne
};

// Bytes that may wait in memory for a slow reader on either side.
struct Watermarks {
  std::size_t high_bytes = 32 * 1024;  // above it the sender waits
  std::size_t low_bytes = 8 * 1024;    // below it the sender goes on
};

// Request fields in which a reverse proxy names its client, in lower case; an empty address field
// switches all off. They are believed of the peers in `trusted` only: whoever else reaches the
// server could claim to be anybody.
struct ProxyHeaders {
  std::string address;
  std::string port;
  std::string scheme;
  std::vector<std::string> trusted{"127.0.0.0/8", "::1", "unix"};  // see session/trusted_proxies.h
};

// Why a server ends its connections. After Restart there is a server again at the same address:
// WebSockets are closed with 1012 instead of 1001, and idle connections get some seconds more, as
// the client of one may just be sending a request.
enum class ShutdownReason : std::uint8_t { Stop, Restart };

// What may differ between the addresses that a server listens on.
struct ListenerOptions {
  int backlog = 0;              // listen(2); 0: ServerOptions::backlog
  bool proxy_protocol = false;  // each connection begins with a PROXY preamble of a trusted proxy
};

struct ServerOptions {
  ConnectionLimits connections;
  HttpLimits http;
  WebSocketLimits websocket;
  WebSocketDeflate deflate;
  Timeouts timeouts;
  Watermarks incoming;
  // A streamed response leaves in pieces of the high mark: half of it costs half as much again,
  // twice of it saves nothing.
  Watermarks outgoing{.high_bytes = 32 * 1024, .low_bytes = 16 * 1024};
  ProxyHeaders proxy;
  std::string server_header = "cppasgi";  // empty sends none
  bool date_header = true;                // RFC 9110 6.6.1
  // Fields of every final response and handshake that doesn't have one of that name; valid ones.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string access_log_format = "daphne";     // see session/access_log_format.h
  std::vector<std::string> access_log_exclude;  // paths, as on the request line, without a line
  int backlog = 2048;                           // listen(2)
  int metrics_fd = -1;            // of a file with blocks of metrics.h; may be closed once
                                  // the server exists. -1: counted for nobody
  std::size_t metrics_index = 0;  // which block of it
  // Daphne's behaviour where its own tests ask for it: an HTTP/1.0 client gets its version in the
  // status line, no response gets a Content-Length that the application didn't give it, and a
  // WebSocket client that breaks the protocol is cut off without a close frame.
  bool daphne_strict = false;
};

// Calls `visit(name, member)` for each option that may be set by its name, as Python does, where
// `member` finds the option in ServerOptions. A new option has its line here, and nothing else of
// C++ but who obeys it.
template <typename Visit>
void for_each_option(Visit visit) {
  visit("server_header", [](auto& all) -> auto& { return all.server_header; });
  visit("date_header", [](auto& all) -> auto& { return all.date_header; });
  visit("headers", [](auto& all) -> auto& { return all.headers; });
  visit("access_log_exclude", [](auto& all) -> auto& { return all.access_log_exclude; });
  visit("access_log_format", [](auto& all) -> auto& { return all.access_log_format; });
  visit("backlog", [](auto& all) -> auto& { return all.backlog; });
  visit("metrics_fd", [](auto& all) -> auto& { return all.metrics_fd; });
  visit("metrics_index", [](auto& all) -> auto& { return all.metrics_index; });
  visit("proxy_address_header", [](auto& all) -> auto& { return all.proxy.address; });
  visit("proxy_port_header", [](auto& all) -> auto& { return all.proxy.port; });
  visit("proxy_scheme_header", [](auto& all) -> auto& { return all.proxy.scheme; });
  visit("trusted_proxies", [](auto& all) -> auto& { return all.proxy.trusted; });
  visit("max_target_bytes", [](auto& all) -> auto& { return all.http.max_target_bytes; });
  visit("max_header_bytes", [](auto& all) -> auto& { return all.http.max_header_bytes; });
  visit("max_header_count", [](auto& all) -> auto& { return all.http.max_header_count; });
  visit("max_content_bytes", [](auto& all) -> auto& { return all.http.max_content_bytes; });
  visit("max_connections", [](auto& all) -> auto& { return all.connections.max_connections; });
  visit("replace_idle_at", [](auto& all) -> auto& { return all.connections.replace_idle_at; });
  visit("max_requests", [](auto& all) -> auto& { return all.connections.max_requests; });
  visit("max_message_bytes", [](auto& all) -> auto& { return all.websocket.max_message_bytes; });
  visit("max_frame_bytes", [](auto& all) -> auto& { return all.websocket.max_frame_bytes; });
  visit("max_queued_messages",
        [](auto& all) -> auto& { return all.websocket.max_queued_messages; });
  visit("max_unsent_bytes", [](auto& all) -> auto& { return all.websocket.max_unsent_bytes; });
  visit("max_unfinished_bytes",
        [](auto& all) -> auto& { return all.websocket.max_unfinished_bytes; });
  visit("deflate_level", [](auto& all) -> auto& { return all.deflate.level; });
  visit("deflate_window_bits", [](auto& all) -> auto& { return all.deflate.window_bits; });
  visit("deflate_memory_level", [](auto& all) -> auto& { return all.deflate.memory_level; });
  visit("deflate_min_bytes", [](auto& all) -> auto& { return all.deflate.min_bytes; });
  visit("deflate_max_memory_bytes",
        [](auto& all) -> auto& { return all.deflate.max_memory_bytes; });
  visit("drops_slow_readers", [](auto& all) -> auto& { return all.websocket.slow_reader; });
  visit("deflate_mode", [](auto& all) -> auto& { return all.deflate.mode; });
  visit("request_head_timeout", [](auto& all) -> auto& { return all.timeouts.request_head; });
  visit("request_content_timeout", [](auto& all) -> auto& { return all.timeouts.request_content; });
  visit("response_start_timeout", [](auto& all) -> auto& { return all.timeouts.response_start; });
  visit("send_timeout", [](auto& all) -> auto& { return all.timeouts.send; });
  visit("keep_alive_timeout", [](auto& all) -> auto& { return all.timeouts.keep_alive; });
  visit("websocket_handshake_timeout",
        [](auto& all) -> auto& { return all.timeouts.websocket_handshake; });
  visit("websocket_close_timeout", [](auto& all) -> auto& { return all.timeouts.websocket_close; });
  visit("websocket_message_timeout",
        [](auto& all) -> auto& { return all.timeouts.websocket_message; });
  visit("websocket_age_timeout", [](auto& all) -> auto& { return all.timeouts.websocket_age; });
  visit("websocket_idle_timeout", [](auto& all) -> auto& { return all.timeouts.websocket_idle; });
  visit("ping_interval", [](auto& all) -> auto& { return all.timeouts.ping_interval; });
  visit("ping_timeout", [](auto& all) -> auto& { return all.timeouts.ping_timeout; });
}

}  // namespace cppasgi
