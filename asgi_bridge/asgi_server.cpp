#include "asgi_bridge/asgi_server.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "asgi_bridge/interpreter_end.h"
#include "asgi_bridge/nesting.h"
#include "server/metrics.h"

namespace cppasgi::bridge {

std::unique_ptr<AsgiServer> AsgiServer::create(pybind11::object application, pybind11::object loop,
                                               const AsgiServerOptions& options,
                                               pybind11::object served) {
  hold_at_interpreter_end();
  std::unique_ptr<AsgiServer> server(new AsgiServer(application.ptr(), loop.ptr(), options));
  server->application_.set_sends_files(options.sends_files);
  server->application_.set_finishes_responses(options.finishes_responses);
  server->application_.set_patience(options.after_disconnect_timeout, served.ptr());
  if (!server->application_.init(options.root_path) || !server->loop_bridge_.attach()) {
    throw pybind11::error_already_set();
  }
  return server;
}

AsgiServer::AsgiServer(PyObject* application, PyObject* loop, const AsgiServerOptions& options)
    : application_(application, loop, options.plain_tasks),
      server_(event_loop_, application_, options.server, options.access_log_fd),
      loop_bridge_(
          event_loop_, loop, [this] { return on_tick(); }, [this] { return on_soon(); }),
      process_(getpid()) {
  application_.set_loop_bridge(loop_bridge_);
  application_.set_metrics(server_.metrics());
  application_.set_on_ready([this] { batch_needed(); });
  application_.set_on_only_response([this] {
    writes_now_ = true;
    finish_batch();
    writes_now_ = false;
    if (application_.has_ready()) loop_bridge_.soon();
  });
  server_.set_batch_hook([this] { batch_needed(); });
}

AsgiServer::~AsgiServer() { close(); }

int AsgiServer::traverse(visitproc visit, void* arg) const {
  Py_VISIT(on_drained_.get());
  const int result = application_.traverse(visit, arg);
  return result != 0 ? result : loop_bridge_.traverse(visit, arg);
}

void AsgiServer::clear() {
  close();
  application_.clear();
}

Address AsgiServer::bind_fd(int fd, const ListenerOptions& options) {
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw std::system_error(errno, std::generic_category(), "dup");
  return server_.adopt(copy, options);
}

void AsgiServer::start(const pybind11::object& self, const pybind11::object& state) {
  application_.set_server(self.ptr());
  loop_bridge_.set_server(self.ptr());
  application_.set_state(state.ptr());
  const LoopBridge::Quiet quiet(loop_bridge_);
  server_.start();
  loop_bridge_.soon();
}

InProgress AsgiServer::drain(pybind11::object on_drained, ShutdownReason reason,
                             std::chrono::milliseconds window) {
  on_drained_ = PythonRef::share(on_drained.ptr());
  application_.set_on_idle([this] { loop_bridge_.soon(); });
  const LoopBridge::Quiet quiet(loop_bridge_);
  const InProgress in_progress = server_.drain(reason, window);
  loop_bridge_.soon();
  return in_progress;
}

void AsgiServer::cut_short() {
  server_.metrics().count(Limit::GracefulTimeout, application_.running());
  const LoopBridge::Quiet quiet(loop_bridge_);
  server_.cut_short();
  loop_bridge_.soon();
}

std::size_t AsgiServer::cancel_applications() { return application_.cancel_all(); }

pybind11::list AsgiServer::overdue_applications(double timeout_seconds) {
  PyObject* tasks = application_.overdue(std::chrono::duration<double>(timeout_seconds));
  if (tasks == nullptr) throw pybind11::error_already_set();
  auto list = pybind11::reinterpret_steal<pybind11::list>(tasks);
  server_.metrics().count(Limit::ApplicationCloseTimeout, list.size());
  return list;
}

void AsgiServer::note_heartbeat(double lag_seconds, double gil_wait_seconds,
                                std::uint64_t dropped_lines) {
  server_.metrics().server_lines_dropped.set(dropped_lines);
  using std::chrono::nanoseconds;
  const auto rounded = [](double seconds) {
    return std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(seconds));
  };
  server_.metrics().note_heartbeat(std::chrono::steady_clock::now(), rounded(lag_seconds),
                                   rounded(gil_wait_seconds));
}

void AsgiServer::tell_after(std::uint64_t requests, int fd) {
  server_.call_after(requests, [fd] {
    [[maybe_unused]] const auto written = write(fd, "r", 1);  // who reads may be gone
  });
}

void AsgiServer::disown() {
  if (closed_) return;
  closed_ = true;
  loop_bridge_.disown();
  server_.disown();
  event_loop_.disown();
  application_.disown();
}

void AsgiServer::close() {
  if (closed_) return;
  if (getpid() != process_) return disown();
  closed_ = true;
  loop_bridge_.detach();  // from here on nobody calls us
  server_.set_batch_hook({});
  server_.abort();
  event_loop_.run_pending();  // the close callbacks
  on_drained_.clear();
  application_.write_log_lines();
  application_.abandon_all();
}

// --- batches ---

// Called when work was put off. The end of the current batch deals with it; outside of a batch,
// on_soon() does, once the callbacks that are ready now have run.
void AsgiServer::batch_needed() {
  if (!in_batch_ && !writes_now_ && !loop_bridge_.ticking()) loop_bridge_.soon();
}

// Hands what a tick brought to Python. Tasks that were woken or started eagerly have run when
// drain() returns. Others run in the loop's next turn, and on_soon(), which is queued behind them,
// sends their responses.
bool AsgiServer::on_tick() {
  in_batch_ = true;
  look_for_nesting();
  application_.begin_batch();
  const bool succeeded = application_.drain();
  finish_batch();
  in_batch_ = false;
  if (application_.started() > 1 || application_.has_ready() || server_.flush_waits())
    loop_bridge_.soon();
  return succeeded && report_drained();
}

bool AsgiServer::on_soon() {
  in_batch_ = true;
  server_.end_turn();
  finish_batch();
  return on_tick();
}

void AsgiServer::finish_batch() {
  const LoopBridge::Quiet quiet(loop_bridge_);
  server_.finish_batch();
}

bool AsgiServer::report_drained() {
  if (!on_drained_ || server_.connections() != 0 || application_.running() != 0) return true;
  const PythonRef callback = std::exchange(on_drained_, {});
  return static_cast<bool>(PythonRef::steal(PyObject_CallNoArgs(callback.get())));
}

}  // namespace cppasgi::bridge
