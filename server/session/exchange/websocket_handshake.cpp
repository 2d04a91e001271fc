#include "server/session/exchange/websocket_handshake.h"

#include <utility>

#include "server/session/exchange/websocket_session.h"

namespace cppasgi::session {

using std::chrono::milliseconds;

WebSocketHandshake::WebSocketHandshake(SessionHost& host, HttpTransport& transport,
                                       Transport& bytes,
                                       const websocket::OpeningHandshake& handshake,
                                       WebSocketRequest request)
    : host_(host),
      transport_(transport),
      bytes_(bytes),
      key_(handshake.key),
      subprotocols_(handshake.subprotocols.begin(), handshake.subprotocols.end()),
      deflate_offer_(handshake.deflate),
      request_(std::move(request)),
      since_(host.now()) {}

WebSocketHandshake::~WebSocketHandshake() {
  if (state_ != State::Over) host_.websockets.erase(id_);
}

void WebSocketHandshake::begin() {
  request_.log(host_, "WSCONNECTING");
  id_ = host_.websockets.insert(*this);
  host_.expect_deadline(next_deadline());
  host_.application.start_websocket({host_.websockets, id_});
}

// --- accepting ---

void WebSocketHandshake::accept(std::string_view subprotocol,
                                const std::vector<http::Field>& given) {
  if (state_ != State::Connecting) return;
  state_ = State::Over;
  std::vector<http::Field> fields = given;
  // Date and Server are left out of a 101: they may be (RFC 9110 6.6.1), and no client reads them.
  for (const auto& [name, value] : host_.default_fields().others) {
    if (!http::has_field(given, name)) fields.push_back({name, value});
  }
  request_.log(host_, "WSCONNECT");
  host_.metrics->count(Handshake::Accepted);
  auto deflate = agree_on_deflate();
  const std::string extensions =
      deflate == nullptr ? std::string() : websocket::extension_field(deflate->answer());
  // Formats of the access log other than this one name fields of it when the WebSocket ends.
  if (host_.options.access_log_format == "daphne") request_.head.free_memory();
  auto session = std::make_unique<WebSocketSession>(host_, bytes_, std::move(request_), id_,
                                                    handler_, std::move(deflate));
  WebSocketSession& opened = *session;
  host_.websockets.replace(id_, opened);
  transport_.accept({key_, subprotocol, extensions, fields}, std::move(session));
  if (host_.draining()) opened.drain();
}

// Returns null if the messages aren't to be compressed.
std::unique_ptr<websocket::MessageDeflate> WebSocketHandshake::agree_on_deflate() {
  if (!deflate_offer_) return nullptr;
  auto deflate = host_.deflate.accept(*deflate_offer_);
  if (deflate == nullptr) return nullptr;
  const bool dedicated = host_.options.deflate.mode == WebSocketDeflate::Mode::Dedicated;
  if (dedicated && deflate->answer().server_no_context_takeover &&
      !deflate_offer_->server_no_context_takeover) {
    host_.metrics->count(Limit::DeflateMemory);
  }
  return deflate;
}

// --- refusing ---

void WebSocketHandshake::deny_head(const http::ResponseHead& head) {
  state_ = State::Denying;
  host_.metrics->count(Handshake::Denied);
  transport_.send_head(head);
}

SendStatus WebSocketHandshake::deny_content(std::string_view content, More more) {
  const SendStatus status = transport_.send_content(content, more);
  if (status == SendStatus::Sent) denial_started_ = true;
  if (status == SendStatus::TooShort) fail();
  if (status == SendStatus::Sent && more == More::No) end();
  return status;
}

void WebSocketHandshake::refuse(int status, std::string_view text, Handshake reason) {
  transport_.send_error(status, text);
  if (state_ == State::Connecting) host_.metrics->count(reason);
  end();
}

// The refusal is complete.
void WebSocketHandshake::end() {
  state_ = State::Over;
  request_.log(host_, "WSREJECT");
  transport_.exchange_ended();
  tell_end();
}

void WebSocketHandshake::close(std::uint16_t, std::string_view) {
  if (state_ == State::Connecting) refuse(403, "Forbidden", Handshake::Forbidden);
}

void WebSocketHandshake::fail() {
  if (state_ == State::Denying && denial_started_) {
    transport_.break_off();
  } else if (state_ != State::Over) {
    refuse(500, "Internal Server Error", Handshake::ApplicationError);
  }
}

void WebSocketHandshake::disconnect() {
  if (state_ == State::Connecting) {
    request_.log(host_, "WSDISCONNECT", Ending::Whole, 1006);
    host_.metrics->count(Handshake::ClientLeft);
  } else if (state_ == State::Denying) {
    request_.log(host_, "WSREJECT", Ending::Cut);
  } else {
    return;
  }
  state_ = State::Over;
  tell_end();
}

void WebSocketHandshake::tell_end() {
  if (handler_ != nullptr) std::exchange(handler_, nullptr)->on_disconnect(1006, {});
  host_.websockets.erase(id_);
}

// --- time ---

milliseconds WebSocketHandshake::next_deadline() const {
  if (state_ != State::Connecting) return milliseconds::max();
  return deadline_after(since_, host_.options.timeouts.websocket_handshake);
}

void WebSocketHandshake::on_deadline() {
  log("the application did not answer the opening handshake in time");
  host_.metrics->count(Limit::WebSocketConnectTimeout);
  refuse(503, "Service Unavailable", Handshake::Timeout);
}

void WebSocketHandshake::log(std::string_view what) const {
  host_.log(what, &request_.info().client);
}

}  // namespace cppasgi::session
