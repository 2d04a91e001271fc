// The first driver of a connection that may speak several protocols: looks at its first bytes and
// hands over to the protocol that they speak for.
#include <memory>
#include <utility>

#include "server/session/drivers/opening_step.h"

namespace cppasgi::session {

namespace {

class ProtocolChooser final : public OpeningStep {
 public:
  using OpeningStep::OpeningStep;

  std::size_t receive(std::span<char> bytes) override {
    bytes_.append(bytes.data(), bytes.size());
    bool undecided = false;
    for (const Protocol& protocol : protocols_) {
      const Protocol::Match match = protocol.match(bytes_);
      if (match == Protocol::Match::Yes) {
        connection_.replace_driver(protocol.make(host_, connection_), bytes_);
        return bytes.size();
      }
      undecided |= match == Protocol::Match::Undecided;
    }
    if (!undecided) connection_.replace_driver(make_http1_driver(host_, connection_), bytes_);
    return bytes.size();
  }
};

}  // namespace

std::unique_ptr<Driver> make_first_driver(SessionHost& host, Connection& connection,
                                          const std::vector<Protocol>& others) {
  if (others.empty()) return make_http1_driver(host, connection);
  return std::make_unique<ProtocolChooser>(host, connection, others);
}

}  // namespace cppasgi::session
