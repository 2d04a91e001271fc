// The first driver of a connection that a proxy opens with a PROXY preamble: reads what it says of
// the client, and hands over to the protocol behind it. Until then it waits as long as for a
// request's head. A connection that says nothing, such as a health check, leaves no line in the
// log.
#include <algorithm>
#include <string>
#include <utility>

#include "server/proxy_protocol/preamble.h"
#include "server/session/drivers/protocols.h"

namespace cppasgi::session {

namespace {

using std::chrono::milliseconds;

class ProxyDriver final : public Driver {
 public:
  ProxyDriver(SessionHost& host, Connection& connection, const std::vector<Protocol>& protocols)
      : Driver({host.options.outgoing}),
        host_(host),
        connection_(connection),
        protocols_(protocols),
        since_(host.now()) {}

  std::size_t receive(std::span<char> bytes) override {
    if (!host_.trusted_proxies.trusts(connection_.info.client)) {
      drop("is no trusted proxy: where the PROXY protocol is spoken, only those may connect");
      return bytes.size();
    }
    bytes_.append(bytes.data(), bytes.size());
    const auto result = proxy_protocol::read_preamble(bytes_);
    if (const auto* broken = std::get_if<proxy_protocol::Broken>(&result)) {
      drop(broken->detail);
    } else if (const auto* preamble = std::get_if<proxy_protocol::Preamble>(&result)) {
      if (preamble->names_client)
        connection_.info = {preamble->client, preamble->server, preamble->secure};
      connection_.replace_driver(make_first_driver(host_, connection_, protocols_),
                                 std::string_view(bytes_).substr(preamble->size));
    }
    return bytes.size();
  }
  void on_end(bool) override { connection_.end(); }
  OutputBuffer& bytes_to_send() override { return output_; }
  void drain() override { connection_.end(); }
  void cut_short() override { connection_.cut(Blame::Server); }
  void refuse() override {
    connection_.replace_driver(make_http1_driver(host_, connection_), {});
    connection_.driver().refuse();
  }
  bool client_may_send() const override { return true; }
  Activity activity() const override { return {.in_progress = {}, .idle_since = since_}; }
  milliseconds next_deadline() const override {
    return deadline_after(since_, host_.options.timeouts.request_head);
  }
  void on_deadline(milliseconds) override {
    host_.metrics->count(Limit::TimeoutRequestHeader);
    if (!bytes_.empty()) log("the PROXY preamble took too long");
    connection_.cut(Blame::Client);
  }
  void log(std::string_view what) const override { host_.log(what, &connection_.info.client); }

 private:
  void drop(std::string_view why) {
    log(why);
    connection_.cut(Blame::Client);
  }

  SessionHost& host_;
  Connection& connection_;
  const std::vector<Protocol>& protocols_;
  const milliseconds since_;
  std::string bytes_;  // of the preamble so far
  OutputBuffer output_;
};

}  // namespace

std::unique_ptr<Driver> make_proxy_driver(SessionHost& host, Connection& connection,
                                          const std::vector<Protocol>& others) {
  return std::make_unique<ProxyDriver>(host, connection, others);
}

}  // namespace cppasgi::session
