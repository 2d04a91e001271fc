// What single functions of the bridge cost, by Catch2's BENCHMARK: making a scope and the messages
// of receive(), reading those of send(). As micro.cpp, with Python embedded:
//
//   cmake --preset release && cmake --build --preset release --target micro_bridge
//   build/release/benchmarks/micro_bridge
#include <pybind11/embed.h>

#include <string>
#include <vector>

#include "asgi_bridge/interned.h"
#include "asgi_bridge/message.h"
#include "asgi_bridge/scope.h"
#include "support/catch.h"

using namespace cppasgi;
using namespace cppasgi::bridge;

namespace {

// For the whole process: the bridge's objects are made once.
void start_python() {
  static const pybind11::scoped_interpreter interpreter;
  static const bool ready = init_interned() == 0 && init_messages() == 0;
  REQUIRE(ready);
}

http::RequestHead head_of(int field_count) {
  http::RequestHead head;
  head.append_method("GET");
  head.append_target("/api/threads/7/messages?before=2026-01-01");
  for (int number = 0; number < field_count; ++number) {
    head.begin_field();
    head.append_field_name("Sec-Fetch-" + std::to_string(number));
    head.append_field_value("same-origin, or something a little longer");
  }
  return head;
}

// A dict as the application makes it.
PythonRef message_of(const char* expression) {
  return PythonRef::share(pybind11::eval(expression).ptr());
}

}  // namespace

TEST_CASE("Scope") {
  start_python();
  ScopeMaker scopes;
  REQUIRE(scopes.init(""));
  const ConnectionInfo connection{{Address::Family::Tcp, "192.0.2.7", 40'000},
                                  {Address::Family::Tcp, "192.0.2.1", 80}};
  for (const int field_count : {1, 14}) {
    const http::RequestHead head = head_of(field_count);
    BENCHMARK("making and freeing one, " + std::to_string(field_count) + " fields") {
      return PythonRef::steal(scopes.http(head, connection, {.early_hint = true}));
    };
  }
}

TEST_CASE("Messages of receive()") {
  start_python();
  BENCHMARK("http.request without content") {
    return PythonRef::steal(http_request_message({}, More::No));
  };
  for (const std::size_t size : {std::size_t{64}, std::size_t{16} << 10}) {
    WebSocketMessage message;
    message.payload = std::string(size, 'a');
    for (const auto kind : {WebSocketMessage::Kind::Text, WebSocketMessage::Kind::Binary}) {
      message.kind = kind;
      const std::string name = kind == WebSocketMessage::Kind::Text ? "text" : "bytes";
      BENCHMARK("websocket.receive, " + name + ", " + std::to_string(size) + " B") {
        return PythonRef::steal(websocket_receive_message(message));
      };
    }
  }
}

TEST_CASE("Messages of send()") {
  start_python();
  const PythonRef start = message_of(
      "{'type': 'http.response.start', 'status': 200, 'headers': [(b'content-type', b'text/plain'),"
      " (b'content-length', b'13')]}");
  const PythonRef body = message_of("{'type': 'http.response.body', 'body': b'Hello, world!'}");
  const PythonRef text = message_of("{'type': 'websocket.send', 'text': 'Hello, world!'}");
  MessageType type;
  http::ResponseHead head;
  std::vector<PythonRef> alive;
  BENCHMARK("http.response.start with two fields") {
    return read_type(start.get(), type) && read_response_start(start.get(), head, alive);
  };
  BENCHMARK("http.response.body") {
    BytesView content;
    More more = More::No;
    return read_type(body.get(), type) && read_response_body(body.get(), content, more);
  };
  BENCHMARK("websocket.send") {
    WebSocketMessage::Kind kind;
    std::string_view payload;
    BytesView bytes;
    return read_type(text.get(), type) && read_websocket_send(text.get(), kind, payload, bytes);
  };
  REQUIRE(PyErr_Occurred() == nullptr);
}
