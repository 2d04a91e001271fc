// The core without Python: answers every HTTP request with its own content and every WebSocket
// message with itself.
//   echo_server [port]        then: curl -d hello http://127.0.0.1:8080/
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "server/application.h"
#include "server/net/event_loop.h"
#include "server/server.h"

namespace {

using cppasgi::Handle;
using cppasgi::HttpResponder;
using cppasgi::More;
using cppasgi::WebSocketMessage;
using cppasgi::WebSocketResponder;

volatile std::sig_atomic_t stop_requested = 0;

// Sends content back as it comes in, no faster than the client reads it. Deletes itself when the
// exchange is over.
class HttpEcho final : public cppasgi::HttpHandler {
 public:
  explicit HttpEcho(Handle<HttpResponder> exchange) : exchange_(exchange) {
    HttpResponder* responder = exchange_.get();
    responder->set_handler(this);
    cppasgi::http::ResponseHead head;
    head.fields.push_back({"content-type", "application/octet-stream"});
    responder->send_head(head);
  }

  void on_content() override { pump(); }
  void on_writable() override { pump(); }
  void on_disconnect() override { delete this; }

 private:
  void pump() {
    HttpResponder* responder = exchange_.get();
    while (responder->poll_writable()) {
      std::string content;
      const cppasgi::ContentStatus status = responder->take_content(content);
      if (status == cppasgi::ContentStatus::Pending) return;
      const bool last = status == cppasgi::ContentStatus::End;
      responder->send_content(content, last ? More::No : More::Yes);
      if (last) {
        delete this;
        return;
      }
    }
  }

  Handle<HttpResponder> exchange_;
};

class WebSocketEcho final : public cppasgi::WebSocketHandler {
 public:
  explicit WebSocketEcho(Handle<WebSocketResponder> websocket) : websocket_(websocket) {
    websocket_.get()->set_handler(this);
    websocket_.get()->accept({}, {});
  }

  void on_message() override { pump(); }
  void on_writable() override { pump(); }
  void on_disconnect(std::uint16_t, std::string_view) override { delete this; }

 private:
  void pump() {
    WebSocketResponder* responder = websocket_.get();
    WebSocketMessage message;
    while (responder->poll_writable() && responder->take_message(message)) {
      if (message.kind == WebSocketMessage::Kind::Text) {
        responder->send_text(message.payload);
      } else {
        responder->send_binary(message.payload);
      }
    }
  }

  Handle<WebSocketResponder> websocket_;
};

class EchoApplication final : public cppasgi::Application {
 public:
  // Handlers may answer at once here: there is no interpreter to enter.
  void start_http(Handle<HttpResponder> exchange) override { new HttpEcho(exchange); }
  void start_websocket(Handle<WebSocketResponder> websocket) override {
    new WebSocketEcho(websocket);
  }
  void on_log(std::string_view line) override {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
  }
};

void on_signal(int) { stop_requested = 1; }

int run(std::uint16_t port) {
  cppasgi::net::EventLoop loop;
  EchoApplication application;
  cppasgi::Server server(loop, application, {});
  const cppasgi::Address address = server.bind_tcp("127.0.0.1", port);
  server.start();
  std::printf("Listening on %s:%u\n", address.host.c_str(), address.port);
  std::fflush(stdout);
  // A signal interrupts the wait of run_once only when it comes during it; the timer bounds the
  // rest.
  cppasgi::net::Timer tick(loop, [&] { tick.start(std::chrono::milliseconds(250)); });
  tick.start(std::chrono::milliseconds(250));
  while (stop_requested == 0 || server.connections() > 0) {
    loop.run_once();
    server.finish_batch();
    if (stop_requested != 0 && !server.draining()) server.drain();
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, &on_signal);
  std::signal(SIGTERM, &on_signal);
  try {
    return run(argc > 1 ? static_cast<std::uint16_t>(std::atoi(argv[1])) : 8080);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "echo_server: %s\n", error.what());
    return 1;
  }
}
