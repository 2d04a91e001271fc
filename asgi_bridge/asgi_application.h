// The Python application behind the core's port (server/application.h): notes what the core reports
// while libuv runs, then hands it to Python in one go (drain), one asyncio task per exchange.
#pragma once

#include <Python.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "asgi_bridge/awaitable.h"
#include "asgi_bridge/cycle.h"
#include "asgi_bridge/message_reading.h"
#include "asgi_bridge/python_ref.h"
#include "asgi_bridge/scope.h"
#include "asgi_bridge/task_starter.h"
#include "server/application.h"
#include "server/metrics.h"

namespace cppasgi::bridge {

class LoopBridge;

class AsgiApplication final : public Application {
 public:
  // `callable` is ASGI 3, `loop` the asyncio loop it runs on, `plain_tasks` as in TaskStarter.
  AsgiApplication(PyObject* callable, PyObject* loop, bool plain_tasks);

  // False with a Python exception.
  bool init(std::string_view root_path) {
    return scopes_.init(root_path) && tasks_.init() && wait_loop_.init();
  }
  void set_state(PyObject* state) { scopes_.set_state(state); }
  // The Python object that owns this one: calls keep it from their start on. Before the first.
  void set_server(PyObject* server) { server_ = server; }
  PyObject* server() const { return server_; }
  // What it owns, for the garbage collector, and the end of that: nothing starts from then on.
  int traverse(visitproc visit, void* arg) const;
  void clear();
  // Where the core is called from; before the first call.
  void set_loop_bridge(LoopBridge& bridge) { loop_bridge_ = &bridge; }
  LoopBridge& loop_bridge() { return *loop_bridge_; }
  // Counts the running calls there; before the first of them.
  void set_metrics(Metrics& metrics) { metrics_ = &metrics; }
  // Announce the extensions that send files?
  void set_sends_files(bool sends_files) { sends_files_ = sends_files; }
  // Does every response come to its end by itself, even if nobody listens while its parts are sent?
  // Then they may be sent in vain.
  void set_finishes_responses(bool finishes) { finishes_responses_ = finishes; }
  // How long send() drops messages of an application that listens once its client has left; 0: for
  // ever. `served` says what a Python frame serves.
  void set_patience(std::chrono::milliseconds patience, PyObject* served) {
    patience_ = patience;
    served_ = PythonRef::share(served);
  }
  // Called when the ready queue gets its first entry.
  void set_on_ready(std::function<void()> on_ready) { on_ready_ = std::move(on_ready); }
  // Called when the last running call has ended.
  void set_on_idle(std::function<void()> on_idle) { on_idle_ = std::move(on_idle); }
  // Called when the only call of a batch has sent its whole response: it may be written at once. On
  // one connection that saves a turn of the loop, and 4.7 % of a request's instructions.
  void set_on_only_response(std::function<void()> hook) { on_only_response_ = std::move(hook); }

  // Starts and wakes everything in the ready queue. False with an exception for the event loop;
  // what is left stays queued.
  bool drain();
  bool has_ready() const { return !ready_.empty() || !log_lines_.empty(); }
  // Tasks that the last drain() made and that the loop will step next.
  std::size_t started() const { return started_; }
  std::size_t running() const { return running_.size(); }
  // Cancels the tasks of all running calls and returns how many there were. A failure is reported,
  // not raised.
  std::size_t cancel_all();
  // The tasks of calls that still run `timeout` after their exchange was over, each once: a list
  // (new reference), or null with a Python exception. Ask every now and then.
  PyObject* overdue(std::chrono::duration<double> timeout);
  // Hands what the core logged to Python's logger. drain() does so too. Never raises.
  void write_log_lines();
  // The server closes: lets go of running calls.
  void abandon_all();
  // In a forked child: starts and wakes nothing more.
  void disown();
  // A tick has ended: what it brought is dealt with now.
  void begin_batch() { batch_began_ = std::chrono::steady_clock::now(); }

  // --- by cycles ---

  PyObject* callable() const { return callable_.get(); }
  const WaitLoop& wait_loop() const { return wait_loop_; }
  ScopeMaker& scopes() { return scopes_; }
  bool sends_files() const { return sends_files_; }
  bool finishes_responses() const { return finishes_responses_; }
  // As TaskStarter::start.
  PythonRef start_task(PyObject* coroutine);
  void queue(Cycle& cycle);
  void add_running(Cycle& cycle);
  void remove_running(Cycle& cycle);
  // Whether a task that could go on may do so: the batch began so lately that others can wait.
  bool has_time_left() const;
  void only_response_sent() { on_only_response_(); }
  // May a send() still be dropped that long after the first that came too late?
  bool is_over_patience(std::chrono::steady_clock::duration time) const {
    using std::chrono::milliseconds;
    return patience_.count() != 0 && std::chrono::floor<milliseconds>(time) >= patience_;
  }
  // Each writes a line to the log. Never raises.
  void log_exception(PyObject* exception);            // of the application
  void log_cancellation(PyObject* exception);         // that wasn't the server's
  void log_client_disconnected(PyObject* exception);  // the application ended with its client's
  void log_endless_sender();                          // which has called send() just now
  void log_error(const char* text);

  // Reused by the cycles for messages.
  std::unique_ptr<MessageFields> spare_fields;
  std::string content;

  // --- Application ---

  void start_http(Handle<HttpResponder> exchange) override;
  void start_websocket(Handle<WebSocketResponder> websocket) override;
  void on_log(std::string_view line) override;

 private:
  static constexpr std::chrono::milliseconds kBatchTime{1};

  bool run(Cycle& cycle, bool only_in_batch);

  PythonRef callable_;
  TaskStarter tasks_;
  WaitLoop wait_loop_;
  ScopeMaker scopes_;
  bool sends_files_ = false;
  bool finishes_responses_ = false;
  std::chrono::milliseconds patience_{0};
  PythonRef served_;
  PyObject* server_ = nullptr;  // borrowed
  LoopBridge* loop_bridge_ = nullptr;
  std::function<void()> on_ready_;
  std::function<void()> on_idle_;
  std::function<void()> on_only_response_;
  std::vector<CycleRef> ready_;
  std::vector<CycleRef> spare_;  // empty, with the room of an earlier batch
  std::vector<CycleRef> running_;
  std::vector<std::string> log_lines_;
  Metrics* metrics_ = nullptr;
  std::size_t started_ = 0;
  bool disowned_ = false;
  std::chrono::steady_clock::time_point batch_began_;
};

}  // namespace cppasgi::bridge
