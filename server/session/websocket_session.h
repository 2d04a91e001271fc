// A session after an opening handshake was asked for: the application's answer to it, then messages
// both ways, pings and the closing handshake (RFC 6455 sections 4.2, 5.5 and 7).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/application.h"
#include "server/metrics.h"
#include "server/session/access_log_format.h"
#include "server/websocket/handshake.h"
#include "server/websocket/websocket_protocol.h"

namespace cppasgi::session {

class Session;

class WebSocketSession final : public WebSocketResponder {
 public:
  WebSocketSession(Session& session, const websocket::OpeningHandshake& handshake);
  ~WebSocketSession();

  // --- by the session ---

  void begin();                         // starts the application
  void receive(std::span<char> bytes);  // bytes have arrived; only when takes_input()
  void resume_sending();
  void finish_failure();  // ends it if the peer broke the protocol
  void disconnect(std::uint16_t code,
                  std::string_view reason);  // it is over; a second call does nothing
  void drain();                              // the server is going away
  bool is_open() const { return state_ == State::Open; }
  bool is_connecting() const { return state_ == State::Connecting; }
  bool takes_input() const { return state_ == State::Open || state_ == State::Closing; }
  bool inbox_is_full() const;
  // Its close frame is in: it sends nothing more (RFC 6455 5.5.1).
  bool peer_has_closed() const { return protocol_.close_received(); }
  void expect_message();  // the peer is read again, and so may send the rest of its message
  std::chrono::milliseconds next_deadline() const;  // max(): none
  void on_deadline(std::chrono::milliseconds now);
  OutputBuffer& bytes_to_send() { return protocol_.bytes_to_send(); }

  // --- WebSocketResponder ---

  const http::RequestHead& request() const override;
  const ConnectionInfo& connection() const override;
  const std::vector<std::string>& subprotocols() const override { return subprotocols_; }
  void set_handler(WebSocketHandler* handler) override { handler_ = handler; }
  void accept(std::string_view subprotocol, const std::vector<http::Field>& fields) override;
  void deny_head(const http::ResponseHead& head) override;
  SendStatus deny_content(std::string_view content, More more) override;
  void send_text(std::string_view text) override;
  void send_binary(std::string_view bytes) override;
  bool writable() const override;
  void close(std::uint16_t code, std::string_view reason) override;
  void fail() override;
  bool take_message(WebSocketMessage& message) override;

 private:
  enum class State : std::uint8_t {
    Connecting,  // the application hasn't answered the opening handshake
    Denying,     // it refuses with a response of its own
    Open,
    Closing,  // our close frame is out, the peer's isn't in
    Over,
  };

  std::string accept_extensions();
  void handle(const websocket::TextReceived& event);
  void handle(const websocket::BinaryReceived& event);
  void handle(const websocket::PingReceived& event);
  void handle(const websocket::PongReceived& event);
  void handle(const websocket::CloseReceived& event);
  void handle(const websocket::ProtocolFailed& event);
  void deliver(WebSocketMessage::Kind kind, std::string_view payload);
  bool may_send();
  void note_message();
  void watch_message();
  std::chrono::milliseconds message_deadline() const;
  void on_message_deadline(std::chrono::milliseconds now);
  void on_open_deadline(std::chrono::milliseconds now);
  Metrics& metrics() const;
  void note_send();
  void end_wait();
  void refuse(int status, std::string_view text, Handshake reason);
  void end_denial();
  void log_access(std::string_view event, Ending ending = Ending::Whole,
                  std::uint16_t close_code = 0) const;

  Session& session_;
  State state_ = State::Connecting;
  bool ping_outstanding_ = false;
  bool denied_ = false;              // to the end, with a line in the access log
  std::uint16_t close_code_ = 0;     // of our close frame, if it was the first
  std::uint32_t sends_waiting_ = 0;  // for the client, since waiting_since_
  SlotId id_;
  WebSocketHandler* handler_ = nullptr;
  websocket::WebSocketProtocol protocol_;
  websocket::ProtocolFailed failure_{0, {}};  // code 0: none
  std::string key_;
  std::string path_;  // for the access log
  std::vector<std::string> subprotocols_;
  std::optional<websocket::DeflateParameters> deflate_offer_;
  std::vector<WebSocketMessage> inbox_;
  std::size_t inbox_begin_ = 0;
  std::size_t inbox_bytes_ = 0;
  std::chrono::milliseconds
      since_;  // of the last sign of life, of the ping, or of entering the state
  std::chrono::steady_clock::time_point waiting_since_;
  std::chrono::steady_clock::time_point pinged_;  // when our latest unanswered ping was; 0: none
  std::chrono::milliseconds opened_{0};           // when it was accepted
  std::chrono::milliseconds last_message_{0};     // of either side; accepting counts
  std::chrono::milliseconds message_since_{0};  // since when watched_message_ has had as many bytes
  std::uint64_t message_bytes_ = 0;             // as these
  std::uint32_t watched_message_ = 0;           // as WebSocketProtocol::unfinished_message()
};

}  // namespace cppasgi::session
