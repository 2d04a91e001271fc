// A protocol for tests, beside HTTP/1: a connection that begins with "ECHO\n" gets back what it
// sends after that.
#pragma once

#include <memory>
#include <string_view>

#include "server/session/drivers/protocols.h"

namespace cppasgi::test {

class EchoDriver final : public session::Driver {
 public:
  static constexpr std::string_view kPreface = "ECHO\n";

  EchoDriver(session::SessionHost& host, session::Connection& connection)
      : Driver({host.options.outgoing}), host_(host), connection_(connection), heard_(host.now()) {}

  static session::Protocol protocol() {
    using Match = session::Protocol::Match;
    return {[](std::string_view bytes) {
              if (bytes.starts_with(kPreface)) return Match::Yes;
              return kPreface.starts_with(bytes) ? Match::Undecided : Match::No;
            },
            [](session::SessionHost& host, session::Connection& connection) {
              return std::make_unique<EchoDriver>(host, connection);
            }};
  }

  std::size_t receive(std::span<char> bytes) override {
    heard_ = host_.now();
    std::string_view rest(bytes.data(), bytes.size());
    const std::size_t preface = std::min(preface_left_, rest.size());
    preface_left_ -= preface;
    rest.remove_prefix(preface);
    output_.append(rest);
    connection_.flush_later();
    return bytes.size();
  }
  bool is_full() override { return !connection_.poll_writable(); }
  void on_end(bool) override { connection_.end(); }
  OutputBuffer& bytes_to_send() override { return output_; }
  void drain() override { connection_.end(); }
  void cut_short() override { connection_.cut(session::Blame::Server); }
  bool client_may_send() const override { return true; }
  session::Activity activity() const override { return {.in_progress = {}, .idle_since = heard_}; }
  void log(std::string_view what) const override { host_.log(what, &connection_.info.client); }

 private:
  session::SessionHost& host_;
  session::Connection& connection_;
  OutputBuffer output_;
  std::size_t preface_left_ = kPreface.size();
  std::chrono::milliseconds heard_;
};

}  // namespace cppasgi::test
