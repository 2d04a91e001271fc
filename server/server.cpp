#include "server/server.h"

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <system_error>
#include <utility>
#include <vector>

#include "server/base/spread.h"
#include "server/heap_trimmer.h"
#include "server/http/date.h"
#include "server/net/event_loop.h"
#include "server/net/uv_listener.h"
#include "server/session/session.h"
#include "server/session/session_host.h"

namespace cppasgi {

using session::Blame;
using session::Session;
using std::chrono::milliseconds;

namespace {

// A batch is written early when it grows beyond these: nobody's response should wait long for its
// neighbours'. But each write alone wakes a client that has gone to sleep again, which costs the
// kernel half as much again: an application that takes 150 us needs some responses to a batch.
constexpr std::size_t kMaxBatchSessions = 64;
constexpr std::size_t kMaxBatchBytes = 64 * 1024;
constexpr milliseconds kMaxBatchTime{1};

// A pipelined request may begin in one turn of the loop and take its first step in the next. Each
// such request is a turn, which the first of the responses waits for.
constexpr std::uint8_t kMostReleases = 2;
constexpr std::uint8_t kMostHolds = 15;

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
        timer_(loop, [this] { check_deadlines(); }),
        drain_timer_(loop, [this] { drain_in_turn(); }) {}

  ~Impl() {
    hook = nullptr;  // there will be no batch
    abort();
  }

  Address add(std::unique_ptr<net::UvListener> listener, int backlog) {
    Address address = listener->address();
    listeners_.push_back({std::move(listener), backlog == 0 ? options.backlog : backlog});
    return address;
  }

  void start() {
    for (auto& [listener, backlog] : listeners_) {
      listener->listen(
          backlog, [this](std::unique_ptr<net::Stream> stream) { open(std::move(stream)); },
          [this](std::error_code error) { log_shortage(error); });
    }
  }

  bool holds_responses() const { return !held_.empty(); }

  void release_responses() {
    std::erase_if(held_, [this](Session* session) {
      if (session->held != 0) --session->held;
      if (session->held != 0 && session->answers()) return false;
      to_flush_.push_back(session);
      return true;
    });
  }

  void finish_batch() {
    resume_waiting();
    for (Session* session : to_fail_) session->finish_failure();
    to_fail_.clear();
    flush_all();
    remove_over();
    write_access_log();
    hook_called_ = false;  // what this round itself put off is done
    if (metrics->served.value() >= call_after_) {
      call_after_ = UINT64_MAX;
      call_();
    }
  }

  void call_after(std::uint64_t requests, std::function<void()> call) {
    call_ = std::move(call);
    call_after_ = requests;
  }

  InProgress drain(Departure reason, milliseconds window) {
    departure = reason;
    // Their connections are complete for the kernel, so it would reset them.
    for (auto& [listener, backlog] : listeners_) listener->accept_waiting();
    listeners_.clear();
    InProgress in_progress;
    std::size_t returning = 0;
    for (auto& session : sessions_) {
      const bool returns = session->client_returns();
      if (session->has_websocket()) {
        ++in_progress.websockets;
      } else if (session->answers()) {
        ++(returns ? in_progress.event_streams : in_progress.responses);
      }
      if (returns) {
        ++returning;
      } else {
        session->drain();
      }
    }
    draining_.begin(loop_.now(), window, returning);
    drain_in_turn();
    return in_progress;
  }

  void cut_short() {
    for (auto& session : sessions_) session->cut_short();
  }

  void abort() {
    departure = Departure::Stop;
    listeners_.clear();
    for (auto& session : sessions_) session->cut(Blame::Server);
    report_left_out(milliseconds::max());
    to_resume_.clear();
    to_fail_.clear();
    to_flush_.clear();
    held_.clear();
    remove_over();
    finish_access_log();
  }

  void disown() {
    hook = nullptr;
    metrics.disown();
    access_log.discard();
    log_limiter.take_reports(milliseconds::max());
    exchanges.clear();
    websockets.clear();
    for (auto& [listener, backlog] : listeners_) leak(listener);
    for (auto& session : sessions_) leak(session);
    listeners_.clear();
    sessions_.clear();
    for (auto* list : {&over_, &to_flush_, &held_, &to_resume_, &to_fail_, &resuming_})
      list->clear();
  }

  std::size_t connections() const { return sessions_.size() - over_.size(); }

  // --- SessionHost ---

  void flush_later(Session& session) override {
    if (!session.flush_pending) {
      session.flush_pending = true;
      if (to_flush_.empty()) batch_began_ = std::chrono::steady_clock::now();
      to_flush_.push_back(&session);
      call_hook();
    }
    if (flushing_) return;
    if (to_flush_.size() > kMaxBatchSessions || session.unsent_bytes() > kMaxBatchBytes ||
        (to_flush_.size() > 1 && std::chrono::steady_clock::now() - batch_began_ > kMaxBatchTime)) {
      flush_all();
    }
  }

  void resume_later(Session& session) override {
    if (session.resume_pending) return;
    session.resume_pending = true;
    to_resume_.push_back(&session);
    call_hook();
  }

  void fail_later(Session& session) override {
    to_fail_.push_back(&session);
    call_hook();
  }

  void remove_later(Session& session) override {
    over_.push_back(&session);
    call_hook();
  }

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

  std::function<void()> hook;

 private:
  void open(std::unique_ptr<net::Stream> stream) {
    const std::size_t limit = options.connections.max_connections;
    const std::size_t few = options.connections.replace_idle_at;
    if (few != 0 && connections() >= few) cut_idlest();
    const bool refused = limit != 0 && connections() >= limit;
    if (refused) metrics->count(Limit::Concurrency);
    if (refused && connections() >= limit + kMaxRefused) return;
    if (refused && !refusing_) log("too many connections: new ones are refused");
    refusing_ = refused;
    auto session = std::make_unique<Session>(*this, std::move(stream));
    session->index = sessions_.size();
    sessions_.push_back(std::move(session));
    sessions_.back()->start();
    if (refused) {
      sessions_.back()->refuse();
    } else {
      sessions_.back()->read_waiting();
    }
  }

  void cut_idlest() {
    const auto idlest = std::min_element(
        sessions_.begin(), sessions_.end(),
        [](const auto& a, const auto& b) { return a->idle_since() < b->idle_since(); });
    if (idlest == sessions_.end() || (*idlest)->idle_since() == milliseconds::max()) return;
    log("many connections: a new one takes the place of the one that is idle for longest");
    (*idlest)->cut();
  }

  // Ends those that have no end of their own and whose turn has come.
  void drain_in_turn() {
    std::size_t due = draining_.take_due(loop_.now());
    for (auto& session : sessions_) {
      if (due == 0) break;
      if (!session->client_returns()) continue;
      session->drain();
      --due;
    }
    if (!draining_.is_over()) drain_timer_.start(draining_.step());
  }

  void resume_waiting() {
    if (to_resume_.empty()) return;
    const net::EventLoop::Standstill standstill(loop_);
    while (!to_resume_.empty()) {
      resuming_.swap(to_resume_);
      for (Session* session : resuming_) {
        session->resume();
        hold(*session);
      }
      resuming_.clear();
    }
  }

  // Its responses wait for that to the request which has begun behind them.
  static void hold(Session& session) {
    if (!session.flush_pending || !session.answers()) return;
    session.held = session.holds == kMostHolds ? 0 : kMostReleases;
    if (session.held != 0) ++session.holds;
  }

  void flush_all() {
    if (!to_flush_.empty()) heap_trimmer_.note_work();
    flushing_ = true;
    for (std::size_t i = 0; i < to_flush_.size(); ++i) {
      Session* session = to_flush_[i];
      if (session->held != 0 && session->answers()) {
        held_.push_back(session);
      } else {
        session->held = 0;
        session->holds = 0;
        session->flush();
      }
    }
    to_flush_.clear();
    flushing_ = false;
  }

  // Only here do sessions die: their own callbacks may be on the stack when they end.
  void remove_over() {
    if (!over_.empty()) heap_trimmer_.note_work();
    for (Session* session : over_) {
      if (session->flush_pending) std::erase(held_, session);
      const std::size_t index = session->index;
      std::swap(sessions_[index], sessions_.back());
      sessions_[index]->index = index;
      sessions_.pop_back();
    }
    over_.clear();
  }

  void check_deadlines() {
    const milliseconds now = loop_.now();
    milliseconds next = milliseconds::max();
    const milliseconds due = std::exchange(timer_due_, next);
    looks_again_ = now - due > kTimerLate && !looks_again_;
    if (looks_again_) return expect_deadline(now);
    for (auto& session : sessions_) {
      if (session->next_deadline() <= now) session->on_deadline(now);
      next = std::min(next, session->next_deadline());
    }
    write_access_log();
    report_left_out(now);
    next = std::min(next, log_limiter.next_report());
    if (next != milliseconds::max()) expect_deadline(next);
  }

  void call_hook() {
    if (hook_called_ || !hook) return;
    hook_called_ = true;
    hook();
  }

  net::EventLoop& loop_;
  HeapTrimmer heap_trimmer_;
  net::Timer timer_;
  net::Timer drain_timer_;
  milliseconds timer_due_ = milliseconds::max();
  bool looks_again_ = false;  // as the latest look came late
  http::DateCache date_;
  std::vector<std::pair<std::unique_ptr<net::UvListener>, int>> listeners_;  // with its backlog
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<Session*> over_;  // among sessions_, until the end of the batch
  std::vector<Session*> to_flush_;
  std::vector<Session*> held_;  // to be flushed after release_responses()
  std::vector<Session*> to_resume_;
  std::vector<Session*> to_fail_;
  std::vector<Session*> resuming_;
  std::chrono::steady_clock::time_point batch_began_;
  bool flushing_ = false;
  bool hook_called_ = false;
  std::uint64_t call_after_ = UINT64_MAX;  // answered requests
  std::function<void()> call_;
  Spread draining_;
  bool refusing_ = false;  // the latest connection was one too many
};

Server::Server(net::EventLoop& loop, Application& application, const ServerOptions& options,
               int access_log_fd)
    : impl_(std::make_unique<Impl>(loop, application, options, access_log_fd)) {}

Server::~Server() = default;

Address Server::bind_tcp(const std::string& host, std::uint16_t port, int backlog) {
  return impl_->add(net::UvListener::bind_tcp(impl_->loop(), host, port), backlog);
}

Address Server::bind_unix(const std::string& path, int backlog) {
  return impl_->add(net::UvListener::bind_unix(impl_->loop(), path), backlog);
}

Address Server::adopt(int fd, int backlog) {
  return impl_->add(net::UvListener::adopt(impl_->loop(), fd), backlog);
}

void Server::start() { impl_->start(); }

void Server::finish_batch() { impl_->finish_batch(); }

void Server::release_responses() { impl_->release_responses(); }

bool Server::holds_responses() const { return impl_->holds_responses(); }

void Server::set_batch_hook(std::function<void()> hook) { impl_->hook = std::move(hook); }

void Server::call_after(std::uint64_t requests, std::function<void()> call) {
  impl_->call_after(requests, std::move(call));
}

InProgress Server::drain(Departure departure, milliseconds window) {
  return impl_->drain(departure, window);
}

void Server::cut_short() { impl_->cut_short(); }

bool Server::draining() const { return impl_->draining(); }

void Server::abort() { impl_->abort(); }

void Server::disown() { impl_->disown(); }

std::size_t Server::connections() const { return impl_->connections(); }

Metrics& Server::metrics() { return *impl_->metrics; }

}  // namespace cppasgi
