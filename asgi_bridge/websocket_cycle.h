// The cycle of a WebSocket: what receive() gives, which messages send() takes in which order (ASGI
// WebSocket 2.5), and what the end of the application means for the WebSocket. http_cycle.h has the
// same sections.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "asgi_bridge/cycle.h"
#include "asgi_bridge/message.h"
#include "server/application.h"

namespace cppasgi::bridge {

class WebSocketCycle final : public ResponderCycle<WebSocketResponder, WebSocketHandler> {
 public:
  WebSocketCycle(AsgiApplication& application, Handle<WebSocketResponder> websocket);

  PyObject* receive() override;
  PyObject* send(PyObject* message) override;

  // --- WebSocketHandler: called while libuv runs ---

  void on_message() override;
  void on_disconnect(std::uint16_t code, std::string_view reason) override;

 private:
  enum class State : std::uint8_t {
    Connecting,  // the opening handshake is not answered
    Denying,     // it is being refused with a response of the application's own
    Open,
    Closed,        // the application has closed or refused
    Disconnected,  // the peer has gone
  };

  PyObject* make_scope() override;
  // Channels receives one message at a time in a task of its own, and waits for the next one only
  // when its consumer has dealt with that.
  bool listening_lasts() const override { return true; }
  PythonRef next_message(bool& pending) override;
  void application_returned() override;
  void application_failed() override;

  bool is_too_late() const;
  void leave(std::uint16_t code);
  PyObject* send_accept(PyObject* message);
  PyObject* send_message(PyObject* message);
  PyObject* send_close(PyObject* message);
  PyObject* send_denial_start(PyObject* message);
  PyObject* send_denial_body(PyObject* message);

  // The messages that receive() still gives after the end of the connection, and the close code and
  // reason that follow them.
  struct Remains {
    std::vector<WebSocketMessage> messages;
    std::size_t next = 0;
    std::uint16_t code = 1006;
    std::string reason;
  };

  State state_ = State::Connecting;
  bool connect_given_ = false;
  std::unique_ptr<Remains> remains_;  // once it is over
};

}  // namespace cppasgi::bridge
