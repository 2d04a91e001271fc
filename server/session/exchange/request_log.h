// The one line of the access log and the one count of each request: when its response is complete,
// refused or cut. Keeps what is needed for that while a long response is still on its way. One for
// each exchange, or for those that follow one another.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "server/application.h"
#include "server/session/session_host.h"

namespace cppasgi::session {

class RequestLog {
 public:
  // What is written of a response.
  struct Response {
    int status;
    std::uint64_t content_bytes;  // without those that the client can't have had
    std::string_view route;       // empty: none
  };

  // `host` must outlive the object.
  explicit RequestLog(SessionHost& host) : host_(host), head_began_(host.now()) {}

  void begin_head();      // the first byte of a request is here
  void begin_request();   // its head is complete, and its time runs
  void begin_exchange();  // the application has it: it counts as in flight
  std::chrono::steady_clock::time_point received() const { return received_; }

  void write(const http::RequestHead& request, const Address& client, const Response& response,
             Ending ending);
  // The response is complete, but much of it waits for its client: finish_late() writes it.
  void put_off(http::RequestHead request, const Address& client, const Response& response);
  // If a response was put off, all of it has left, or never will: then the client misses so many
  // bytes.
  void finish_late(Ending ending, std::uint64_t missing_bytes = 0);

 private:
  struct Late {
    http::RequestHead request;
    Address client;
    std::chrono::steady_clock::time_point received;
    int status;
    std::uint64_t content_bytes;
    std::string route;
  };

  std::chrono::steady_clock::duration time() const;
  void add(const http::RequestHead& request, const Address& client, const Response& response,
           std::chrono::steady_clock::duration taken, Ending ending);

  SessionHost& host_;
  std::unique_ptr<Late> late_;
  // When the head was complete, if SessionHost::times_requests; 0 before.
  std::chrono::steady_clock::time_point received_;
  std::chrono::milliseconds head_began_;  // or the connection, before the first
  bool in_flight_ = false;
};

}  // namespace cppasgi::session
