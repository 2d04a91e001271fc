// An application that records what it is told about each exchange, and answers through functions
// that a test sets: at once, inside the call, or later, through the recorded handles.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/application.h"

namespace cppasgi::test {

class TestApplication;

// One HTTP exchange as the application sees it.
class HttpCall final : public HttpHandler {
 public:
  HttpCall(TestApplication& application, Handle<HttpResponder> exchange)
      : application_(application), exchange_(exchange) {
    exchange.get()->set_handler(this);
    request_line.append(exchange.get()->request().method()) += ' ';
    request_line.append(exchange.get()->request().target());
  }

  std::string request_line;  // method and target
  std::string content;       // taken so far
  bool ended = false;        // by take()
  int content_calls = 0;
  int writable_calls = 0;
  int disconnects = 0;
  bool takes_pieces = false;  // as an application that waits

  HttpResponder* responder() const { return exchange_.get(); }

  // Takes what is there.
  ContentStatus take() {
    std::string piece;
    const ContentStatus status = responder()->take_content(piece);
    content += piece;
    ended = status == ContentStatus::End;
    return status;
  }
  // A whole response.
  SendStatus answer(std::string_view text, const std::vector<http::Field>& fields = {}) const {
    responder()->send_head({200, fields});
    return responder()->send_content(text, More::No);
  }

  void on_content() override;
  bool on_piece(std::string_view piece) override {
    if (takes_pieces) content += piece;
    return takes_pieces;
  }
  void on_writable() override;
  void on_disconnect() override;

 private:
  TestApplication& application_;
  Handle<HttpResponder> exchange_;
};

// One WebSocket as the application sees it.
class WebSocketCall final : public WebSocketHandler {
 public:
  WebSocketCall(TestApplication& application, Handle<WebSocketResponder> websocket)
      : application_(application), websocket_(websocket) {
    websocket.get()->set_handler(this);
  }

  std::vector<std::string> messages;  // taken so far, as "t:" or "b:" and the payload
  int message_calls = 0;
  int writable_calls = 0;
  int disconnects = 0;
  std::uint16_t close_code = 0;
  std::string close_reason;

  WebSocketResponder* responder() const { return websocket_.get(); }

  // Takes the oldest message.
  bool take() {
    WebSocketMessage message;
    if (!responder()->take_message(message)) return false;
    const bool text = message.kind == WebSocketMessage::Kind::Text;
    messages.push_back((text ? "t:" : "b:") + message.payload);
    return true;
  }

  void on_message() override;
  void on_writable() override;
  void on_disconnect(std::uint16_t code, std::string_view reason) override;

 private:
  TestApplication& application_;
  Handle<WebSocketResponder> websocket_;
};

class TestApplication final : public Application {
 public:
  // What it does, none by default.
  std::function<void(HttpCall&)> on_http;  // inside start_http
  std::function<void(HttpCall&)> on_http_content;
  std::function<void(HttpCall&)> on_http_writable;
  std::function<void(WebSocketCall&)> on_websocket;  // inside start_websocket
  std::function<void(WebSocketCall&)> on_websocket_message;
  std::function<void(WebSocketCall&)> on_websocket_disconnect;

  // What it was told.
  std::vector<std::unique_ptr<HttpCall>> http;
  std::vector<std::unique_ptr<WebSocketCall>> websockets;
  std::vector<std::string> log;

  static void run(const auto& function, auto& call) {
    if (function) function(call);
  }

  void start_http(Handle<HttpResponder> exchange) override {
    http.push_back(std::make_unique<HttpCall>(*this, exchange));
    run(on_http, *http.back());
  }
  void start_websocket(Handle<WebSocketResponder> websocket) override {
    websockets.push_back(std::make_unique<WebSocketCall>(*this, websocket));
    run(on_websocket, *websockets.back());
  }
  void on_log(std::string_view line) override { log.emplace_back(line); }
};

inline void HttpCall::on_content() {
  ++content_calls;
  TestApplication::run(application_.on_http_content, *this);
}
inline void HttpCall::on_writable() {
  ++writable_calls;
  TestApplication::run(application_.on_http_writable, *this);
}
inline void HttpCall::on_disconnect() { ++disconnects; }

inline void WebSocketCall::on_message() {
  ++message_calls;
  TestApplication::run(application_.on_websocket_message, *this);
}
inline void WebSocketCall::on_writable() { ++writable_calls; }
inline void WebSocketCall::on_disconnect(std::uint16_t code, std::string_view reason) {
  ++disconnects;
  close_code = code;
  close_reason = reason;
  TestApplication::run(application_.on_websocket_disconnect, *this);
}

}  // namespace cppasgi::test
