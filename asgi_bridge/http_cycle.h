// The cycle of an HTTP request: what receive() gives, which messages send() takes in which order
// (ASGI HTTP 2.5), and what the end of the application means for the response. websocket_cycle.h
// has the same sections.
#pragma once

#include "asgi_bridge/cycle.h"
#include "asgi_bridge/message.h"
#include "asgi_bridge/scope.h"
#include "server/application.h"

namespace cppasgi::bridge {

class HttpCycle final : public ResponderCycle<HttpResponder, HttpHandler> {
 public:
  HttpCycle(AsgiApplication& application, Handle<HttpResponder> exchange);

  PyObject* receive() override;
  PyObject* send(PyObject* message) override;

  // --- HttpHandler: called while libuv runs ---

  void on_content() override;
  // Makes the bytes object that receive() is to give, without a copy in between. Without this, an
  // upload of 1 MiB takes 1.6 times the instructions.
  bool on_piece(std::string_view content) override;
  void on_writable() override;
  void on_disconnect() override;

 private:
  enum class State : std::uint8_t {
    Expected,      // no response head yet
    Started,       // the head was given
    Trailers,      // the content too, and trailers were announced
    Complete,      // the response is complete
    Disconnected,  // the client left before it was
  };

  PyObject* make_scope() override;
  bool listening_lasts() const override { return false; }
  PythonRef next_message(bool& pending) override;
  void application_returned() override;
  void application_failed() override;

  PyObject* send_start(PyObject* message);
  PyObject* send_body(PyObject* message);
  PyObject* send_file(PyObject* message, MessageType type);
  PyObject* send_early_hint(PyObject* message);
  PyObject* send_trailers(PyObject* message);
  PyObject* sent_all();
  void fail();

  State state_ = State::Expected;
  HttpExtensions extensions_;
  bool trailers_announced_ = false;
  bool length_announced_ = false;
  bool content_begun_ = false;
  bool sending_file_ = false;   // on_writable follows
  bool request_ended_ = false;  // the application has all of it
  // Bytes that came while the application waits. They refer to nothing, so the garbage collector
  // needn't know them.
  PythonRef piece_;
};

}  // namespace cppasgi::bridge
