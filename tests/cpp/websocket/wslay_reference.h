// The same bytes through wslay's own event layer, as a second opinion on ours. Where wslay 1.1.1
// differs: it judges part of a header at its second byte and the rest with the first byte of the
// payload, and a close reason byte by byte, we whole ones (zeros are added until both have); it
// refuses close codes 1012 to 1014 and takes half a close code (such an end isn't compared); of a
// close frame with a bad code and a bad reason it names the reason; it reads a close reason that
// lies across its 4096-byte buffer wrongly (longer inputs aren't compared); it drops pongs that
// wait when it closes (not compared then); it closes without a code for a malformed header.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <wslay/wslay.h>

#include "websocket/transcript.h"

namespace cppasgi::test {

class WslayReference {
 public:
  static constexpr std::size_t kMaxInputBytes = 4096;

  explicit WslayReference(std::size_t max_message_bytes) {
    wslay_event_callbacks callbacks{};
    callbacks.recv_callback = on_recv;
    callbacks.send_callback = on_send;
    callbacks.on_msg_recv_callback = on_message;
    wslay_event_context_server_init(&context_, &callbacks, this);
    if (max_message_bytes != 0)
      wslay_event_config_set_max_recv_msg_length(context_, max_message_bytes);
  }
  ~WslayReference() { wslay_event_context_free(context_); }
  WslayReference(const WslayReference&) = delete;
  WslayReference& operator=(const WslayReference&) = delete;

  void feed(std::string_view input) {
    input_ = input;
    wslay_event_recv(context_);
    wslay_event_send(context_);
  }

  // Ended by a close frame of the peer or by a failure.
  bool over() const { return wslay_event_get_read_enabled(context_) == 0; }
  const Transcript& transcript() const { return transcript_; }

 private:
  static ssize_t on_recv(wslay_event_context_ptr context, std::uint8_t* buffer, std::size_t size,
                         int /*flags*/, void* user_data) noexcept {
    auto& input = static_cast<WslayReference*>(user_data)->input_;
    if (input.empty()) {
      wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
      return -1;
    }
    size = std::min(size, input.size());
    std::memcpy(buffer, input.data(), size);
    input.remove_prefix(size);
    return static_cast<ssize_t>(size);
  }

  static ssize_t on_send(wslay_event_context_ptr /*context*/, const std::uint8_t* data,
                         std::size_t size, int /*flags*/, void* user_data) noexcept {
    static_cast<WslayReference*>(user_data)->transcript_.sent.append(
        reinterpret_cast<const char*>(data), size);
    return static_cast<ssize_t>(size);
  }

  static void on_message(wslay_event_context_ptr /*context*/,
                         const wslay_event_on_msg_recv_arg* message, void* user_data) noexcept {
    const std::string_view bytes(reinterpret_cast<const char*>(message->msg), message->msg_length);
    websocket::Event event = websocket::PingReceived{};
    if (message->opcode == WSLAY_TEXT_FRAME) event = websocket::TextReceived{bytes};
    if (message->opcode == WSLAY_BINARY_FRAME) event = websocket::BinaryReceived{bytes};
    if (message->opcode == WSLAY_PONG) event = websocket::PongReceived{bytes};
    if (message->opcode == WSLAY_CONNECTION_CLOSE) {
      const std::uint16_t code = message->status_code == 0 ? 1005 : message->status_code;
      event =
          websocket::CloseReceived{code, bytes.size() > 2 ? bytes.substr(2) : std::string_view()};
    }
    static_cast<WslayReference*>(user_data)->transcript_.events.push_back(describe(event));
  }

  wslay_event_context_ptr context_ = nullptr;
  std::string_view input_;
  Transcript transcript_;
};

// Empty when wslay and we agree about `input`, else what differs. One limit serves for frames and
// messages.
inline std::string difference_from_wslay(std::size_t limit, std::string_view input) {
  if (input.size() > WslayReference::kMaxInputBytes) return {};
  const WebSocketLimits limits{limit, limit};
  Transcript ours = run_websocket(limits, {input});
  WslayReference reference(limit);
  reference.feed(input);

  const auto closed = [&ours] {
    return !ours.events.empty() &&
           (ours.events.back().starts_with("failed") || ours.events.back().starts_with("close"));
  };
  const std::string zeros(14 + 125, '\0');
  if (closed() && !reference.over()) reference.feed(zeros.substr(0, 1));
  if (reference.over() && !closed()) ours = run_websocket(limits, {input, zeros});
  const bool failed = closed() && ours.events.back().starts_with("failed");
  Transcript theirs = reference.transcript();

  if (!ours.events.empty()) {
    const std::string& last = ours.events.back();
    if (last.starts_with("close 1012") || last.starts_with("close 1013") ||
        last.starts_with("close 1014") || last.ends_with("close frame with half a code")) {
      return {};
    }
  }
  // wslay tells of a failure only by its close frame.
  const std::string failure = failed ? ours.events.back() : std::string();
  if (failed) ours.events.pop_back();
  if (ours.events != theirs.events) {
    std::string text = "events differ; ours:";
    for (const std::string& event : ours.events) text += "\n  " + event;
    text += "\nwslay's:";
    for (const std::string& event : theirs.events) text += "\n  " + event;
    return text;
  }
  const std::vector<ServerFrame> our_frames = short_server_frames(ours.sent);
  const std::vector<ServerFrame> their_frames = short_server_frames(theirs.sent);
  if (!reference.over()) return our_frames == their_frames ? std::string() : "pongs differ";
  if (our_frames.empty() || their_frames.empty()) return "one doesn't close";
  const std::string our_code = our_frames.back().payload.substr(0, 2);
  const std::string their_code = their_frames.back().payload.substr(0, 2);
  const bool bad_header = failed && our_code == "\x03\xea" && their_code.empty();
  const bool bad_close = failure.ends_with("invalid close code") && their_code == "\x03\xef";
  return our_code == their_code || bad_header || bad_close ? std::string() : "close codes differ";
}

}  // namespace cppasgi::test
