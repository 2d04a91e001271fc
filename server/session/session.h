// One accepted connection: joins the stream's bytes to the protocol that is spoken on it and to the
// exchange in progress. HTTP first; after an accepted opening handshake a WebSocketSession takes
// over. Owned by the server; loop thread only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "server/http1/http1_protocol.h"
#include "server/net/stream.h"
#include "server/session/http_exchange.h"
#include "server/session/session_host.h"
#include "server/session/websocket_session.h"

namespace cppasgi::session {

// A connection that is dropped is the fault of one of these.
enum class Blame : bool { Client, Server };

class Session final : private net::StreamObserver {
 public:
  // `host` must outlive the session.
  Session(SessionHost& host, std::unique_ptr<net::Stream> stream);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start();
  // Takes what the client sent with its connection: right after start(), or never.
  void read_waiting() { stream_->read_waiting(); }

  // --- by the server ---

  void flush();           // writes what is to be sent, as flush_later() asked for
  void resume();          // takes the input that waited
  void finish_failure();  // ends the WebSocket whose peer broke the protocol
  void drain();           // ends after what is in progress
  // drain() ends what has no end of its own, whose client then comes again: an open WebSocket, or
  // server-sent events.
  bool client_returns() const;
  // The time is over: 503, or a cut where a response has begun; an end for who only may go on.
  void cut_short();
  // Drops the connection now; whoever is in the middle of something hears of it.
  void cut(Blame blame = Blame::Client);
  void refuse();  // 503 instead of any request: there are too many connections
  std::chrono::milliseconds next_deadline() const;  // max(): none
  void on_deadline(std::chrono::milliseconds now);
  bool over() const { return phase_ == Phase::Over; }
  // Since when it has been without a request; max() for one that is being answered or a WebSocket.
  std::chrono::milliseconds idle_since() const;
  bool answers() const { return phase_ == Phase::Exchange; }
  bool has_websocket() const { return phase_ == Phase::WebSocket; }

  // Marks of the server's lists (it is to be flushed, now or once it is no longer held), and the
  // session's place in its list of all.
  bool flush_pending = false;
  bool resume_pending = false;
  // Its responses wait for that to the pipelined request that has just begun: for so many releases,
  // and have waited for so many such requests.
  std::uint8_t held = 0;
  std::uint8_t holds = 0;
  std::size_t index = 0;

  // --- by the exchange and the WebSocket session ---

  SessionHost& host() { return host_; }
  http1::Http1Protocol& http() { return http_; }
  // Of the current request: with proxy headers each may name another client.
  const ConnectionInfo& connection() const { return forwarded_ ? *forwarded_ : connection_; }
  bool reads() const { return reading_; }
  std::size_t unsent_bytes() const;
  bool writable();  // false: on_writable follows
  void flush_later();
  void send_unsent();  // now; the server may still flush it, as it has been promised
  void send_after(std::string_view payload);  // flush_later(), with it behind the bytes that wait
  bool send_file(FileSlice& file);  // true when all of it has left, else resume_file() follows
  void expect_deadline(std::chrono::milliseconds time);
  // Does something wait for the client, and has it taken some of that since the last look?
  bool client_reads_on(std::chrono::milliseconds now);
  void content_taken();      // there is room for more input
  void expect_content();     // the client is to send more from now on
  void response_complete();  // of the HTTP exchange: the next request's turn, or the end
  void close_after_flush();  // an orderly end once everything is sent
  void log(std::string_view what) const;
  // A line of the access log about a WebSocket.
  void log_websocket(std::string_view event, std::string_view path, Ending ending,
                     std::uint16_t close_code);

 private:
  enum class Phase : std::uint8_t {
    Idle,       // no byte of a request is here
    Head,       // a request head is coming in
    Exchange,   // a request is being received or answered
    WebSocket,  // from the opening handshake on
    Closing,    // the last bytes are going out
    Lingering,  // all is sent; input is discarded until the client closes (RFC 9112 9.6)
    Over,
  };

  void on_read(std::span<char> bytes) override;
  void on_end() override;
  void on_error(std::error_code error) override;
  void on_written() override;

  void receive(std::span<char> bytes);
  void take_input(std::string_view bytes);
  bool may_take_input();
  void keep_input(std::string_view bytes);
  void handle_events();
  void handle(const http1::RequestReceived& event);
  void handle(const http1::ContentReceived& event);
  void handle(const http1::EndOfRequest& event);
  void handle(const http1::ProtocolError& event);
  void upgrade();
  void enter(Phase phase);
  void write_out();
  void write(OutputBuffer& buffer, std::string_view tail = {});
  void write_or_end(OutputBuffer& buffer);
  Watermarks unsent_marks() const;
  void finish_exchange();
  void finish_sending();
  void note_sent(std::size_t bytes);
  void finish_input();
  void start_reading();
  bool input_is_full();
  void pause_reading_if_full();
  void count_limit(int status);
  void refuse(int status, std::string_view text);
  void watch_reader();
  bool client_owes_content() const;
  std::chrono::milliseconds reader_deadline() const;
  std::chrono::milliseconds presence_deadline() const;
  void look_for_client(std::chrono::milliseconds now);
  std::chrono::milliseconds phase_deadline() const;
  void on_phase_deadline(std::chrono::milliseconds now);
  void read_proxy_headers();
  void read_root_path();
  // The one line and the one count of each request: when its response is over...
  void log_response();
  // ... or the server answers by itself, maybe before all of the head is here
  void log_request(int status, Ending ending = Ending::Whole);
  // ... or the connection ends before all of the response has left.
  void log_cut(Blame blame);
  void log_line(const http::RequestHead& request, const Address& client, int status,
                std::uint64_t content_bytes, std::chrono::steady_clock::duration taken,
                Ending ending, std::string_view route);
  void log_late(Ending ending);
  std::uint64_t waiting_bytes() const;
  std::chrono::steady_clock::duration request_time() const;

  // A response that is complete, but much of which waits for a slow client.
  struct LateResponse {
    http::RequestHead request;
    std::unique_ptr<ConnectionInfo> forwarded;
    std::chrono::steady_clock::time_point received;
    std::uint64_t content_bytes;
    int status;
    std::string route;
  };

  SessionHost& host_;
  std::unique_ptr<net::Stream> stream_;
  std::chrono::steady_clock::time_point received_;  // the latest head, if SessionHost asks
  ConnectionInfo connection_;
  std::unique_ptr<ConnectionInfo> forwarded_;  // what a proxy says, if it is believed
  http1::Http1Protocol http_;
  HttpExchange exchange_;
  std::unique_ptr<LateResponse> late_;
  std::unique_ptr<WebSocketSession> websocket_;
  std::string waiting_input_;        // received, but the protocol can't take it yet
  std::chrono::milliseconds since_;  // of entering the phase, or of content in it
  std::chrono::milliseconds queued_since_ =
      std::chrono::milliseconds::max();  // of the last sign that the client reads; max(): nothing
                                         // waits for it
  std::size_t queued_bytes_ = 0;         // then
  std::chrono::milliseconds ended_or_sent_{0};  // we read no more from then on, or sent something
  std::uint32_t requests_ = 0;                  // so far
  Phase phase_ = Phase::Idle;
  bool reading_ = false;
  bool client_ended_ = false;     // its last byte was read
  bool ended_unread_ = false;     // it was seen to have sent it, but reading pauses
  bool handling_events_ = false;  // of the HTTP protocol
  bool sending_paused_ =
      false;  // somebody waits until the unsent bytes fall below the low-water mark
  bool request_complete_ = true;  // nothing of the current request is still to come
  bool upgrade_asked_ = false;    // the current request is an opening handshake
};

}  // namespace cppasgi::session
