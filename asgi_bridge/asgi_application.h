// The Python application behind the core's interface (server/application.h). It notes what the core
// reports while libuv runs, and hands all of that to Python at once (drain). Each exchange has an
// asyncio task.
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
  // `callable` is an application of ASGI 3, and `loop` the asyncio loop that runs it. `plain_tasks`
  // is TaskStarter's `plain`.
  AsgiApplication(PyObject* callable, PyObject* loop, bool plain_tasks);

  // Returns false with a Python exception on failure.
  bool init(std::string_view root_path) {
    return scopes_.init(root_path) && tasks_.init() && wait_loop_.init();
  }
  void set_state(PyObject* state) { scopes_.set_state(state); }
  // Sets the Python object that owns this one, which calls keep from their start on. To be called
  // before the first call.
  void set_server(PyObject* server) { server_ = server; }
  PyObject* server() const { return server_; }
  // Visits what this owns, for the garbage collector; clear() drops that, and nothing starts from
  // then on.
  int traverse(visitproc visit, void* arg) const;
  void clear();
  // Sets the bridge that calls the core. To be called before the first call.
  void set_loop_bridge(LoopBridge& bridge) { loop_bridge_ = &bridge; }
  LoopBridge& loop_bridge() { return *loop_bridge_; }
  // Sets where running calls are counted. To be called before the first call.
  void set_metrics(Metrics& metrics) { metrics_ = &metrics; }
  // Whether scopes announce the extensions that send files.
  void set_sends_files(bool sends_files) { sends_files_ = sends_files; }
  // Whether every response comes to an end by itself, so that an application may send its parts in
  // vain after the client has left.
  void set_finishes_responses(bool finishes) { finishes_responses_ = finishes; }
  // Sets for how long send() drops messages after the client has left, if the application listens
  // for that; 0 means without end. `served` is a Python function that tells what a frame serves.
  void set_patience(std::chrono::milliseconds patience, PyObject* served) {
    patience_ = patience;
    served_ = PythonRef::share(served);
  }
  // Sets what is called when the ready queue gets its first entry.
  void set_on_ready(std::function<void()> on_ready) { on_ready_ = std::move(on_ready); }
  // Sets what is called when the last running call has ended.
  void set_on_idle(std::function<void()> on_idle) { on_idle_ = std::move(on_idle); }
  // Sets what is called when the only call of a batch has sent its whole response, which may then
  // be written at once. On a single connection that saves a turn of the loop and 4.7 % of a
  // request's instructions.
  void set_on_only_response(std::function<void()> hook) { on_only_response_ = std::move(hook); }

  // Starts or wakes every call in the ready queue. Returns false with an exception that the event
  // loop must see; the rest stays queued then.
  bool drain();
  bool has_ready() const { return !ready_.empty() || !log_lines_.empty(); }
  // How many tasks the last drain() made that the loop will step in its next turn.
  std::size_t started() const { return started_; }
  std::size_t running() const { return running_.size(); }
  // Cancels the tasks of all running calls and returns how many there were. A failure is reported
  // to sys.unraisablehook.
  std::size_t cancel_all();
  // Returns a list of the tasks of calls that still run `timeout` after their exchange was over;
  // each task is returned once. New reference, or null with a Python exception. To be called from
  // time to time.
  PyObject* overdue(std::chrono::duration<double> timeout);
  // Passes the lines that the core logged to Python's logger, as drain() does too. Never raises.
  void write_log_lines();
  // Drops all calls, since the server closes.
  void abandon_all();
  // To be called in a forked child: starts and wakes nothing from then on.
  void disown();
  // Notes that a batch begins, right after a tick.
  void begin_batch() { batch_began_ = std::chrono::steady_clock::now(); }

  // --- by cycles ---

  PyObject* callable() const { return callable_.get(); }
  const WaitLoop& wait_loop() const { return wait_loop_; }
  ScopeMaker& scopes() { return scopes_; }
  bool sends_files() const { return sends_files_; }
  bool finishes_responses() const { return finishes_responses_; }
  // Like TaskStarter::start().
  PythonRef start_task(PyObject* coroutine);
  void queue(Cycle& cycle);
  void add_running(Cycle& cycle);
  void remove_running(Cycle& cycle);
  // Whether the batch began so recently that a task which needn't wait may go on before others run.
  bool has_time_left() const;
  void only_response_sent() { on_only_response_(); }
  // Whether `time` after the first send() that came too late, such messages aren't dropped any
  // more.
  bool is_over_patience(std::chrono::steady_clock::duration time) const {
    using std::chrono::milliseconds;
    return patience_.count() != 0 && std::chrono::floor<milliseconds>(time) >= patience_;
  }
  // Each writes a line to the log, and never raises.
  void log_exception(PyObject* exception);            // raised by the application
  void log_cancellation(PyObject* exception);         // not by the server
  void log_client_disconnected(PyObject* exception);  // which ended the call
  void log_endless_sender();                          // the caller of send()
  void log_error(const char* text);

  // Memory for messages that cycles reuse.
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
