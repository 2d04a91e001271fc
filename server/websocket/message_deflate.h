// permessage-deflate (RFC 7692) for open WebSockets. Each connection has a MessageDeflate; all
// connections of a loop share one DeflatePool. With shared streams a connection keeps no zlib
// memory between messages. Knows no frames. Loop thread only.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/options.h"
#include "server/websocket/deflate_offer.h"
#include "server/websocket/deflate_stream.h"

namespace cppasgi::websocket {

class MessageDeflate;

class DeflatePool {
 public:
  // Throws std::invalid_argument when a value is out of its range.
  explicit DeflatePool(const WebSocketDeflate& options);

  // Accepts an offer, or declines it and returns null. If there is no room for dedicated streams,
  // the connection gets shared ones. The pool must outlive the result.
  std::unique_ptr<MessageDeflate> accept(const DeflateParameters& offer);

  // The memory of all dedicated streams, which is reserved from the handshake on.
  std::size_t reserved_bytes() const { return reserved_bytes_; }

 private:
  friend class MessageDeflate;

  std::unique_ptr<Compressor> make_compressor(int window_bits) const;
  std::string_view compress_alone(std::string_view message, int window_bits);
  std::vector<char>& buffer();
  std::unique_ptr<Inflater> borrow_inflater();
  void return_inflater(std::unique_ptr<Inflater> inflater);
  std::size_t dedicated_bytes(const DeflateParameters& answer) const;

  const WebSocketDeflate options_;
  std::array<std::unique_ptr<Compressor>, 16> compressors_;  // by window bits; made when needed
  std::unique_ptr<Inflater> spare_inflater_;
  // The latest message that was compressed without takeover. The members of a group get the same
  // one after the other, so that it is compressed only once: 1 KiB to 500 members costs a thirtieth
  // of the instructions.
  struct Latest {
    std::string message;
    std::string compressed;
    int window_bits = 0;
  };
  Latest latest_;
  std::vector<char> buffer_;
  std::size_t reserved_bytes_ = 0;
};

class MessageDeflate {
 public:
  // The object takes `reserved_bytes` of the pool, and returns them when it is destroyed.
  MessageDeflate(DeflatePool& pool, const DeflateParameters& answer, std::size_t reserved_bytes);
  ~MessageDeflate();
  MessageDeflate(const MessageDeflate&) = delete;
  MessageDeflate& operator=(const MessageDeflate&) = delete;

  const DeflateParameters& answer() const { return answer_; }

  // Returns the payload to be sent with RSV1 for a message, valid until the next call for any
  // connection. Returns nothing if the message is to be sent as it is, because it is short or
  // doesn't become shorter.
  std::optional<std::string_view> compress(std::string_view message);

  // The next inflated bytes of the message that is being received.
  struct Inflated {
    std::string_view bytes;  // at most 16 KiB, valid until the next call of any connection
    bool more = false;       // call again, whether or not input is left
    bool invalid = false;    // after `bytes`: not deflate data
  };
  // Inflates a piece of the message's payload; removes the bytes that it used from the front of
  // `input`.
  Inflated inflate(std::string_view& input);
  // Ends the message. Returns false if its data break off. Precondition: kFlushTail was inflated
  // after its last piece.
  bool finish_message();
  // Drops the message, of which no more will come.
  void drop_message();
  // How much memory the message that is being received takes beyond the reserved bytes.
  std::size_t borrowed_bytes() const;

 private:
  bool borrows() const { return answer_.client_no_context_takeover; }

  DeflatePool& pool_;
  const DeflateParameters answer_;
  const std::size_t reserved_bytes_;
  std::unique_ptr<Compressor> compressor_;  // the connection's own, if agreed so
  std::unique_ptr<Inflater> inflater_;      // its own, or borrowed for the message being received
};

}  // namespace cppasgi::websocket
