// What the steps before a connection's protocol have in common: they read its first bytes under one
// deadline, that of a request's head, and hand over to the next driver. A connection that ends
// before has done nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/session/drivers/protocols.h"

namespace cppasgi::session {

class OpeningStep : public Driver {
 public:
  // All must outlive the driver.
  OpeningStep(SessionHost& host, Connection& connection, const std::vector<Protocol>& protocols)
      : Driver({host.options.outgoing}),
        host_(host),
        connection_(connection),
        protocols_(protocols),
        since_(host.now()) {}

  void on_end(bool /*kept*/) override { connection_.end(); }
  OutputBuffer& bytes_to_send() override { return output_; }
  void drain() override { connection_.end(); }
  void cut_short() override { connection_.cut(Blame::Server); }
  // Most of those that connect speak HTTP/1, and others see at least that they are answered.
  void refuse() override {
    connection_.replace_driver(make_http1_driver(host_, connection_), {});
    connection_.driver().refuse();
  }
  bool client_may_send() const override { return true; }
  Activity activity() const override { return {.in_progress = {}, .idle_since = since_}; }
  std::chrono::milliseconds next_deadline() const override {
    return deadline_after(since_, host_.options.timeouts.request_head);
  }
  void on_deadline(std::chrono::milliseconds /*now*/) override {
    host_.metrics->count(Limit::TimeoutRequestHeader);
    connection_.cut(Blame::Client);
  }
  void log(std::string_view what) const override { host_.log(what, &connection_.info.client); }

 protected:
  SessionHost& host_;
  Connection& connection_;
  const std::vector<Protocol>& protocols_;
  std::string bytes_;  // so far

 private:
  const std::chrono::milliseconds since_;
  OutputBuffer output_;
};

}  // namespace cppasgi::session
