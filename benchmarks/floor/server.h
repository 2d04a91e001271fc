// The least server that can answer the benchmarks' requests: libuv, llhttp, and frames by hand. It
// shows what a server costs at the least and is none to use: no limits, no timers, no validation
// beyond llhttp's, whole bodies and unfragmented messages only. All that one read brings is
// answered by one write.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <llhttp.h>
#include <uv.h>

class Client;

// Whoever answers: in C++ (floor.cpp) or a Python application (floor_python.cpp).
class Answerer {
 public:
  virtual void on_request(Client& client) = 0;    // complete; the answer goes to client.output
  virtual bool on_websocket(Client& client) = 0;  // false: refused
  virtual void on_message(Client& client, std::span<std::uint8_t> payload, bool text) = 0;
  virtual void on_gone(Client& client) = 0;  // of a WebSocket, before the client is deleted

 protected:
  ~Answerer() = default;
};

class Client {
 public:
  Client(uv_loop_t* loop, Answerer& answerer);

  // The request that is being answered; name and value of each field in turn.
  std::string target, body;
  std::vector<std::string> fields;
  std::string_view method() const;
  std::string_view connection_field()
      const;  // "connection: close\r\n" for a last response, or nothing

  std::string output;    // what is to be written
  void* data = nullptr;  // the answerer's, for a WebSocket

  void send_message(std::span<const std::uint8_t> payload, bool text);
  void flush();  // after what wasn't caused by this client's own bytes
  uv_tcp_t tcp;

 private:
  friend void serve(int port, Answerer& answerer);
  static int on_field(llhttp_t* parser, const char* at, std::size_t length);
  static int on_complete(llhttp_t* parser);
  void read(std::uint8_t* bytes, std::size_t size);
  std::size_t read_frame(std::uint8_t* bytes, std::size_t size);
  void shake_hands();
  void close();

  Answerer& answerer_;
  llhttp_t parser_;
  bool websocket_ = false, value_begun_ = false;
  std::vector<std::uint8_t> input_;  // a frame that isn't complete
};

// Listens on 127.0.0.1 and serves until SIGTERM.
void serve(int port, Answerer& answerer);
