#include "server/server.h"

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <system_error>
#include <utility>
#include <vector>

#include "server/base/spread.h"
#include "server/batch.h"
#include "server/heap_trimmer.h"
#include "server/http/date.h"
#include "server/net/event_loop.h"
#include "server/net/uv_listener.h"
#include "server/session/drivers/protocols.h"
#include "server/session/session_host.h"

namespace cppasgi {

using session::Blame;
using session::Connection;
using std::chrono::milliseconds;

namespace {

// Connections that are told of their refusal at a time; others beyond the limit are just closed.
constexpr std::size_t kMaxRefused = 64;

// Deadlines are checked no more often than this; none is finer.
constexpr milliseconds kTimerGranularity{250};

// Whoever looks so late has found the loop busy: the applications had no chance to answer in time.
constexpr milliseconds kTimerLate = kTimerGranularity;

template <typename T>
void leak(std::unique_ptr<T>& owned) {
  [[maybe_unused]] const T* leaked = owned.release();
}

}  // namespace

class Server::Impl final : public session::SessionHost {
 public:
  Impl(net::EventLoop& loop, Application& app, const ServerOptions& server_options,
       int access_log_fd)
      : SessionHost(app, server_options, access_log_fd),
        loop_(loop),
        heap_trimmer_(loop),
        batch_(loop),
        timer_(loop, [this] { check_deadlines(); }),
        drain_timer_(loop, [this] { drain_in_turn(); }) {}

  ~Impl() {
    batch_.set_hook(nullptr);  // there will be no batch
    abort();
  }

  Address add(std::unique_ptr<net::UvListener> listener, const ListenerOptions& of_listener) {
    Address address = listener->address();
    listeners_.push_back({std::move(listener), of_listener});
    return address;
  }

  void add_protocol(session::Protocol protocol) { protocols_.push_back(std::move(protocol)); }

  void start() {
    for (const Listener& listener : listeners_) {
      const int backlog = listener.options.backlog;
      listener.socket->listen(
          backlog == 0 ? options.backlog : backlog,
          [this, proxy = listener.options.proxy_protocol](std::unique_ptr<net::Stream> stream) {
            open(std::move(stream), proxy);
          },
          [this](std::error_code error) { log_shortage(error); });
    }
  }

  Batch& batch() { return batch_; }

  void finish_batch() {
    batch_.resume_all();
    batch_.flush_all();
    remove_over();
    write_access_log();
    if (batch_.end()) heap_trimmer_.note_work();
    if (metrics->served.value() >= call_after_) {
      call_after_ = UINT64_MAX;
      call_();
    }
  }

  void call_after(std::uint64_t requests, std::function<void()> call) {
    call_ = std::move(call);
    call_after_ = requests;
  }

  InProgress drain(ShutdownReason reason, milliseconds window) {
    shutdown_reason = reason;
    // Their connections are complete for the kernel, so it would reset them.
    for (const Listener& listener : listeners_) listener.socket->accept_waiting();
    listeners_.clear();
    InProgress in_progress;
    std::size_t returning = 0;
    for (auto& connection : connections_) {
      if (connection->state() != Connection::State::Open) continue;
      session::Driver& driver = connection->driver();
      const session::Activity activity = driver.activity();
      in_progress += activity.in_progress;
      if (activity.client_returns) {
        ++returning;
      } else {
        driver.drain();
      }
    }
    draining_.begin(loop_.now(), window, returning);
    drain_in_turn();
    return in_progress;
  }

  void cut_short() {
    for (auto& connection : connections_) {
      if (connection->state() == Connection::State::Open) connection->driver().cut_short();
    }
  }

  void abort() {
    shutdown_reason = ShutdownReason::Stop;
    listeners_.clear();
    for (auto& connection : connections_) connection->cut(Blame::Server);
    report_left_out(milliseconds::max());
    batch_.clear();
    remove_over();
    finish_access_log();
  }

  void disown() {
    batch_.set_hook(nullptr);
    metrics.disown();
    access_log.discard();
    log_limiter.take_reports(milliseconds::max());
    exchanges.clear();
    websockets.clear();
    for (Listener& listener : listeners_) leak(listener.socket);
    for (auto& connection : connections_) leak(connection);
    listeners_.clear();
    connections_.clear();
    batch_.clear();
    batch_.remove_over([](Connection&) {});
  }

  std::size_t connections() const { return connections_.size() - batch_.over(); }

  // --- SessionHost ---

  void flush_later(Connection& connection) override { batch_.flush_later(connection); }
  void resume_later(Connection& connection) override { batch_.resume_later(connection); }
  void remove_later(Connection& connection) override { batch_.remove_later(connection); }

  void expect_deadline(milliseconds time) override {
    if (time >= timer_due_) return;
    const milliseconds now = loop_.now();
    time = std::max(time, now + kTimerGranularity);
    if (time >= timer_due_) return;
    timer_due_ = time;
    timer_.start(time - now);
  }

  milliseconds now() const override { return loop_.now(); }

  http::DefaultFields default_fields() override {
    return {options.date_header ? date_.at(std::time(nullptr)) : std::string_view{},
            options.server_header, options.headers, options.daphne_strict};
  }

  net::EventLoop& loop() { return loop_; }

 private:
  struct Listener {
    std::unique_ptr<net::UvListener> socket;
    ListenerOptions options;
  };

  void open(std::unique_ptr<net::Stream> stream, bool proxy_protocol) {
    const std::size_t limit = options.connections.max_connections;
    const std::size_t few = options.connections.replace_idle_at;
    if (few != 0 && connections() >= few) cut_idlest();
    const bool refused = limit != 0 && connections() >= limit;
    if (refused) metrics->count(Limit::Concurrency);
    if (refused && connections() >= limit + kMaxRefused) return;
    if (refused && !refusing_) log("too many connections: new ones are refused", nullptr);
    refusing_ = refused;
    auto owned = std::make_unique<Connection>(*this, std::move(stream));
    Connection& connection = *owned;
    connection.listed.index = connections_.size();
    connections_.push_back(std::move(owned));
    connection.start(proxy_protocol ? session::make_proxy_driver(*this, connection, protocols_)
                                    : session::make_first_driver(*this, connection, protocols_),
                     refused);
  }

  // When the connection began to be idle; max() if it isn't.
  static milliseconds idle_since(const Connection& connection) {
    const bool over = connection.state() == Connection::State::Over;
    return over ? milliseconds::max() : connection.driver().activity().idle_since;
  }

  void cut_idlest() {
    const auto idlest = std::min_element(
        connections_.begin(), connections_.end(),
        [](const auto& a, const auto& b) { return idle_since(*a) < idle_since(*b); });
    if (idlest == connections_.end() || idle_since(**idlest) == milliseconds::max()) return;
    log("many connections: a new one takes the place of the one that is idle for longest", nullptr);
    (*idlest)->cut(Blame::Client);
  }

  // Ends those that have no end of their own and whose turn has come.
  void drain_in_turn() {
    std::size_t due = draining_.take_due(loop_.now());
    for (auto& connection : connections_) {
      if (due == 0) break;
      if (!connection->driver().activity().client_returns) continue;
      connection->driver().drain();
      --due;
    }
    if (!draining_.is_over()) drain_timer_.start(draining_.step());
  }

  void remove_over() {
    batch_.remove_over([this](Connection& connection) {
      const std::size_t index = connection.listed.index;
      std::swap(connections_[index], connections_.back());
      connections_[index]->listed.index = index;
      connections_.pop_back();
    });
  }

  void check_deadlines() {
    const milliseconds now = loop_.now();
    milliseconds next = milliseconds::max();
    const milliseconds due = std::exchange(timer_due_, next);
    looks_again_ = now - due > kTimerLate && !looks_again_;
    if (looks_again_) return expect_deadline(now);
    for (auto& connection : connections_) {
      if (connection->next_deadline() <= now) connection->on_deadline(now);
      next = std::min(next, connection->next_deadline());
    }
    write_access_log();
    report_left_out(now);
    next = std::min(next, log_limiter.next_report());
    if (next != milliseconds::max()) expect_deadline(next);
  }

  net::EventLoop& loop_;
  HeapTrimmer heap_trimmer_;
  Batch batch_;
  net::Timer timer_;
  net::Timer drain_timer_;
  milliseconds timer_due_ = milliseconds::max();
  bool looks_again_ = false;  // as the latest look came late
  http::DateCache date_;
  std::vector<Listener> listeners_;
  std::vector<session::Protocol> protocols_;  // besides HTTP/1
  std::vector<std::unique_ptr<Connection>> connections_;
  std::uint64_t call_after_ = UINT64_MAX;  // answered requests
  std::function<void()> call_;
  Spread draining_;
  bool refusing_ = false;  // the latest connection was one too many
};

Server::Server(net::EventLoop& loop, Application& application, const ServerOptions& options,
               int access_log_fd)
    : impl_(std::make_unique<Impl>(loop, application, options, access_log_fd)) {}

Server::~Server() = default;

void Server::add_protocol(session::Protocol protocol) { impl_->add_protocol(std::move(protocol)); }

Address Server::bind_tcp(const std::string& host, std::uint16_t port,
                         const ListenerOptions& options) {
  return impl_->add(net::UvListener::bind_tcp(impl_->loop(), host, port), options);
}

Address Server::bind_unix(const std::string& path, const ListenerOptions& options) {
  return impl_->add(net::UvListener::bind_unix(impl_->loop(), path), options);
}

Address Server::adopt(int fd, const ListenerOptions& options) {
  return impl_->add(net::UvListener::adopt(impl_->loop(), fd), options);
}

void Server::start() { impl_->start(); }

void Server::finish_batch() { impl_->finish_batch(); }

void Server::end_turn() { impl_->batch().end_turn(); }

bool Server::flush_waits() const { return impl_->batch().flush_waits(); }

void Server::set_batch_hook(std::function<void()> hook) {
  impl_->batch().set_hook(std::move(hook));
}

void Server::call_after(std::uint64_t requests, std::function<void()> call) {
  impl_->call_after(requests, std::move(call));
}

InProgress Server::drain(ShutdownReason reason, milliseconds window) {
  return impl_->drain(reason, window);
}

void Server::cut_short() { impl_->cut_short(); }

bool Server::draining() const { return impl_->draining(); }

void Server::abort() { impl_->abort(); }

void Server::disown() { impl_->disown(); }

std::size_t Server::connections() const { return impl_->connections(); }

Metrics& Server::metrics() { return *impl_->metrics; }

}  // namespace cppasgi
