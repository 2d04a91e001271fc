// The first driver of a connection that a proxy opens with a PROXY preamble: reads what it says of
// the client, and hands over to the protocol behind it. A connection that says nothing, such as a
// health check, leaves no line in the log.
#include <memory>
#include <variant>

#include "server/proxy_protocol/preamble.h"
#include "server/session/drivers/opening_step.h"

namespace cppasgi::session {

namespace {

class ProxyDriver final : public OpeningStep {
 public:
  using OpeningStep::OpeningStep;

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
  void on_deadline(std::chrono::milliseconds now) override {
    if (!bytes_.empty()) log("the PROXY preamble took too long");
    OpeningStep::on_deadline(now);
  }

 private:
  void drop(std::string_view why) {
    log(why);
    connection_.cut(Blame::Client);
  }
};

}  // namespace

std::unique_ptr<Driver> make_proxy_driver(SessionHost& host, Connection& connection,
                                          const std::vector<Protocol>& others) {
  return std::make_unique<ProxyDriver>(host, connection, others);
}

}  // namespace cppasgi::session
