// What an Http1Protocol makes of a request stream, as text: one line per request line, field, run
// of content and end. Tests and the fuzzer compare such logs, so it is the same however the stream
// was cut.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "server/http1/http1_protocol.h"
#include "support/feed.h"

namespace cppasgi::test {

// Printable ASCII as it is, other bytes as \r, \n, \t, \\ or \xHH.
inline std::string escape(std::string_view text) {
  std::string escaped;
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    if (byte == '\r') {
      escaped += "\\r";
    } else if (byte == '\n') {
      escaped += "\\n";
    } else if (byte == '\t') {
      escaped += "\\t";
    } else if (byte == '\\') {
      escaped += "\\\\";
    } else if (code < 0x20 || code > 0x7e) {
      char hex[5];
      std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned>(code));
      escaped += hex;
    } else {
      escaped += byte;
    }
  }
  return escaped;
}

// Answers every request with an empty 200 and reads on while the connection persists.
class Http1Log {
 public:
  // Takes what the protocol's last call produced.
  void add(http1::Http1Protocol& protocol) {
    bool ended = false;
    for (const http1::Event& event : protocol.events()) {
      if (const auto* content = std::get_if<http1::ContentReceived>(&event)) {
        if (!in_content_) text_ += "content: ";
        in_content_ = true;
        text_ += escape(content->bytes);
        continue;
      }
      if (in_content_) text_ += '\n';
      in_content_ = false;
      if (std::holds_alternative<http1::RequestReceived>(event)) add_head(protocol.request());
      if (std::holds_alternative<http1::EndOfRequest>(event)) {
        ended = true;
        text_ += protocol.keep_alive() ? "end, keep-alive\n" : "end, close\n";
      }
      if (const auto* error = std::get_if<http1::ProtocolError>(&event)) {
        text_ +=
            "error " + std::to_string(error->status) + ": " + std::string(error->detail) + "\n";
        closed_ = true;
      }
    }
    if (!ended) return;
    closed_ = !protocol.keep_alive();
    protocol.send_head({}, {});
    protocol.send_content({}, More::No);
    protocol.bytes_to_send().consume(protocol.bytes_to_send().size());
    if (protocol.keep_alive()) protocol.next_request();
  }

  // The client's end of the connection has come.
  void end(const http1::Http1Protocol& protocol) {
    if (in_content_) text_ += '\n';
    if (!closed_ && !protocol.between_requests()) text_ += "cut off\n";
  }

  const std::string& text() const { return text_; }

 private:
  void add_head(const http::RequestHead& head) {
    text_ += "request " + escape(head.method()) + " " + escape(head.target());
    text_ += head.version == http::Version::Http10 ? " HTTP/1.0\n" : " HTTP/1.1\n";
    for (std::size_t index = 0; index < head.field_count(); ++index) {
      const auto [name, value] = head.field(index);
      text_ += escape(name) + ":" + (value.empty() ? "" : " ") + escape(value) + "\n";
    }
  }

  std::string text_;
  bool in_content_ = false;
  bool closed_ = false;
};

// The log of a whole connection that gives these pieces and then ends.
inline std::string log_requests(const Pieces& pieces, const HttpLimits& limits) {
  http1::Http1Protocol protocol(limits);
  Http1Log log;
  const auto add = [&log](http1::Http1Protocol& from) { log.add(from); };
  bool wholly_read = true;
  for (const std::string_view piece : pieces) {
    if (wholly_read) wholly_read = feed(protocol, piece, add) == piece.size();
  }
  log.end(protocol);
  return log.text();
}

}  // namespace cppasgi::test
