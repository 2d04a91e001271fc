// WebSocket framing for the server side of one connection, without I/O (RFC 6455 sections 5 to 8):
// bytes in, events out; messages in, frames out. wslay checks frames and unmasks them, except for a
// frame that is plain and whole, which takes a shorter way to the same event. No sockets, clock or
// logging. Used by the loop thread only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/output_buffer.h"
#include "server/options.h"
#include "server/websocket/close_code.h"
#include "server/websocket/events.h"
#include "server/websocket/frame.h"
#include "server/websocket/frame_reader.h"
#include "server/websocket/message_deflate.h"
#include "server/websocket/message_memory.h"
#include "server/websocket/utf8.h"

namespace cppasgi::websocket {

class WebSocketProtocol {
 public:
  // `limits` and `memory` must outlive the object.
  WebSocketProtocol(const WebSocketLimits& limits, MessageMemory& memory);
  ~WebSocketProtocol();
  WebSocketProtocol(const WebSocketProtocol&) = delete;
  WebSocketProtocol& operator=(const WebSocketProtocol&) = delete;

  // Enables permessage-deflate (RFC 7692), once the handshake has agreed on it. Precondition: no
  // bytes were received yet.
  void enable_deflate(std::unique_ptr<MessageDeflate> deflate);

  // Takes all of `input`, in which it may unmask payloads; events() then has what it means. After
  // CloseReceived or ProtocolFailed further bytes are ignored. No data from the peer makes it
  // throw. An empty input frees the memory of the last events, which is useful after a large
  // message, since the peer may stay silent.
  void receive_data(std::span<char> input);
  // The events of the last receive_data() call.
  const std::vector<Event>& events() const { return events_; }

  // The number of the message of which only a part has come, counting all that came in parts; 0 if
  // there is none.
  std::uint32_t unfinished_message() const {
    return message_opcode_ == Opcode::Continuation ? 0 : message_number_;
  }
  // How many payload bytes of that message have come so far, before inflating.
  std::uint64_t unfinished_bytes() const { return message_received_; }
  // Ignores everything that comes from now on, the rest of an unfinished message included.
  void give_up();

  // Returns the payload of an event as a string, without a copy if it is the last message that came
  // in pieces.
  std::string take(std::string_view payload);

  // Each appends one unfragmented frame to bytes_to_send(), unless a close frame was sent. A
  // message is compressed if that was agreed on and makes it shorter. If its payload is long,
  // send_text() and send_binary() don't copy it but return it: the caller must write it right after
  // bytes_to_send(), before the next call.
  std::string_view send_text(std::string_view text);  // precondition: valid UTF-8
  std::string_view send_binary(std::string_view bytes);
  void send_ping(std::string_view payload);  // at most 125 bytes
  // Starts the closing handshake. `reason` is cut to 123 bytes, between two characters.
  // Precondition: `code` is sendable (is_sendable_close_code), or 1005 for an empty close frame;
  // `reason` is valid UTF-8.
  void send_close(std::uint16_t code, std::string_view reason);

  bool close_sent() const { return close_sent_; }
  bool close_received() const { return close_received_; }

  OutputBuffer& bytes_to_send() { return output_; }

 private:
  bool over() const { return close_received_ || failed_; }
  bool is_plain(std::size_t header_size, const FrameHeader& header) const;
  bool is_compressed(const FrameHeader& header) const;
  std::string_view size_error(const FrameHeader& header) const;
  // Each consumes bytes from the front of `input` and returns how many.
  std::size_t receive_whole_frame(std::span<char> input);  // 0: the front isn't a plain whole frame
  std::size_t receive_header(std::span<char> input);
  std::size_t receive_payload(std::span<char> input);
  void receive_compressed(std::span<char> piece);
  bool inflate(std::string_view input);
  bool append_inflated(std::string_view bytes);
  void start_frame();
  void finish_frame();
  void finish_message();
  bool finish_inflating();
  void finish_close();
  bool check_sequence();
  void count_memory();
  void drop_message();
  std::string_view send_message(Opcode opcode, std::string_view payload);
  void send(Opcode opcode, std::string_view payload);
  void fail(std::uint16_t close_code, std::string_view detail);
  std::string_view keep(std::string& bytes);

  const WebSocketLimits& limits_;
  std::vector<Event> events_;
  std::forward_list<std::string> kept_;  // what events alias beyond the input
  OutputBuffer output_;
  std::unique_ptr<FrameReader> reader_;
  std::unique_ptr<MessageDeflate> deflate_;  // null: not agreed

  FrameHeader frame_;                             // the frame whose payload is being received
  std::uint64_t payload_left_ = 0;                // of it
  std::string control_;                           // the payload of a control frame so far
  std::string message_;                           // the payload of a data message so far
  MessageMemory::Part memory_;                    // what message_ and its inflater take
  std::uint64_t message_received_ = 0;            // of its payload, if it comes in parts
  std::uint32_t message_number_ = 0;              // of those that came in parts
  Utf8Validator text_;                            // over message_
  Opcode message_opcode_ = Opcode::Continuation;  // Continuation: no message is open
  std::array<char, kMaxHeaderBytes> header_{};    // of a frame so far
  std::uint8_t header_size_ = 0;
  bool in_payload_ = false;
  bool plain_ = false;          // frame_ takes the shorter way
  bool compressed_ = false;     // the open message is
  std::uint8_t data_bits_ = 0;  // reserved bits that the first frame of a message may have
  bool failed_ = false;
  bool close_sent_ = false;
  bool close_received_ = false;
};

}  // namespace cppasgi::websocket
