// The first driver of a connection that may speak several protocols: looks at its first bytes and
// hands over to the one that they speak for. Until then it waits as long as for a request's head.
#include <algorithm>
#include <string>

#include "server/session/drivers/protocols.h"

namespace cppasgi::session {

namespace {

using std::chrono::milliseconds;

class ProtocolChooser final : public Driver {
 public:
  ProtocolChooser(SessionHost& host, Connection& connection, const std::vector<Protocol>& protocols)
      : Driver({host.options.outgoing}),
        host_(host),
        connection_(connection),
        protocols_(protocols),
        since_(host.now()) {}

  std::size_t receive(std::span<char> bytes) override {
    first_bytes_.append(bytes.data(), bytes.size());
    bool undecided = false;
    for (const Protocol& protocol : protocols_) {
      const Protocol::Match match = protocol.match(first_bytes_);
      if (match == Protocol::Match::Yes) {
        become(protocol.make(host_, connection_));
        return bytes.size();
      }
      undecided |= match == Protocol::Match::Undecided;
    }
    if (!undecided) become(make_http1_driver(host_, connection_));
    return bytes.size();
  }
  void on_end(bool) override { connection_.end(); }
  OutputBuffer& bytes_to_send() override { return output_; }
  void drain() override { connection_.end(); }
  void cut_short() override { connection_.cut(Blame::Server); }
  // Most of those that connect speak HTTP/1, and others see at least that they are answered.
  void refuse() override {
    become(make_http1_driver(host_, connection_));
    connection_.driver().refuse();
  }
  bool client_may_send() const override { return true; }
  Activity activity() const override { return {.in_progress = {}, .idle_since = since_}; }
  milliseconds next_deadline() const override {
    return deadline_after(since_, host_.options.timeouts.request_head);
  }
  void on_deadline(milliseconds) override {
    host_.metrics->count(Limit::TimeoutRequestHeader);
    connection_.cut(Blame::Client);
  }
  void log(std::string_view what) const override { host_.log(what, &connection_.info.client); }

 private:
  void become(std::unique_ptr<Driver> driver) {
    connection_.replace_driver(std::move(driver), first_bytes_);
  }

  SessionHost& host_;
  Connection& connection_;
  const std::vector<Protocol>& protocols_;
  const milliseconds since_;
  std::string first_bytes_;
  OutputBuffer output_;
};

}  // namespace

std::unique_ptr<Driver> make_first_driver(SessionHost& host, Connection& connection,
                                          const std::vector<Protocol>& others) {
  if (others.empty()) return make_http1_driver(host, connection);
  return std::make_unique<ProtocolChooser>(host, connection, others);
}

}  // namespace cppasgi::session
