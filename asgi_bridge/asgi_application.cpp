#include "asgi_bridge/asgi_application.h"

#include <array>
#include <utility>

#include "asgi_bridge/http_cycle.h"
#include "asgi_bridge/interned.h"
#include "asgi_bridge/python_values.h"
#include "asgi_bridge/websocket_cycle.h"

namespace cppasgi::bridge {

namespace {

// Calls logger.<method>(text[, exc_info=exception]). An exception of a log handler is reported,
// since logging must never break the server.
void call_logger(PyObject* method, PyObject* text, PyObject* exception) {
  const std::array<PyObject*, 3> arguments{interned().logger, text, exception};
  const PythonRef names =
      PythonRef::steal(exception == nullptr ? nullptr : PyTuple_Pack(1, interned().exc_info));
  const PythonRef result =
      PythonRef::steal(PyObject_VectorcallMethod(method, arguments.data(), 2, names.get()));
  if (!result) PyErr_WriteUnraisable(interned().logger);
}

}  // namespace

AsgiApplication::AsgiApplication(PyObject* callable, PyObject* loop, bool plain_tasks)
    : callable_(PythonRef::share(callable)), tasks_(loop, plain_tasks), wait_loop_(loop) {}

// Calls that haven't started don't own Python objects yet. The prototypes and caches of scopes have
// only strings and bytes, which refer to nothing.
int AsgiApplication::traverse(visitproc visit, void* arg) const {
  Py_VISIT(callable_.get());
  Py_VISIT(served_.get());
  for (const std::vector<CycleRef>* cycles : {&ready_, &running_}) {
    for (const CycleRef& cycle : *cycles) Py_VISIT(cycle->owner());
  }
  for (const int result : {tasks_.traverse(visit, arg), wait_loop_.traverse(visit, arg),
                           scopes_.traverse(visit, arg)}) {
    if (result != 0) return result;
  }
  return 0;
}

void AsgiApplication::clear() {
  callable_.clear();
  served_.clear();
  tasks_.clear();
  wait_loop_.clear();
  scopes_.set_state(Py_None);
}

void AsgiApplication::start_http(Handle<HttpResponder> exchange) {
  queue(*new HttpCycle(*this, exchange));
}

void AsgiApplication::start_websocket(Handle<WebSocketResponder> websocket) {
  queue(*new WebSocketCycle(*this, websocket));
}

void AsgiApplication::on_log(std::string_view line) {
  if (!has_ready()) on_ready_();
  log_lines_.emplace_back(line);
}

void AsgiApplication::queue(Cycle& cycle) {
  if (cycle.queued) return;
  cycle.queued = true;
  if (!has_ready()) on_ready_();
  ready_.emplace_back(&cycle);
}

bool AsgiApplication::drain() {
  write_log_lines();
  started_ = 0;
  tasks_.begin_batch();
  // The batch is a local variable because an application may run the loop inside a call of the loop
  // (nest_asyncio).
  std::vector<CycleRef> batch = std::exchange(ready_, std::exchange(spare_, {}));
  const bool only_in_batch = batch.size() == 1;
  std::size_t done = 0;
  while (done < batch.size() && run(*batch[done].get(), only_in_batch)) ++done;
  // After an exception that the loop must see (SystemExit, KeyboardInterrupt) the other calls stay
  // queued.
  const bool succeeded = done == batch.size();
  for (++done; done < batch.size(); ++done) ready_.push_back(std::move(batch[done]));
  batch.clear();
  spare_ = std::move(batch);
  return succeeded;
}

bool AsgiApplication::has_time_left() const {
  return std::chrono::steady_clock::now() - batch_began_ < kBatchTime;
}

bool AsgiApplication::run(Cycle& cycle, bool only_in_batch) {
  if (disowned_) return true;  // by one that ran before it
  cycle.queued = false;
  cycle.only_in_batch = only_in_batch;
  return cycle.run();
}

PythonRef AsgiApplication::start_task(PyObject* coroutine) {
  PythonRef task = tasks_.start(coroutine);
  if (!tasks_.is_eager()) ++started_;
  return task;
}

void AsgiApplication::add_running(Cycle& cycle) {
  cycle.index = running_.size();
  running_.emplace_back(&cycle);
  metrics_->running_applications.set(running_.size());
}

void AsgiApplication::remove_running(Cycle& cycle) {
  const std::size_t index = cycle.index;
  std::swap(running_[index], running_.back());
  running_[index]->index = index;
  running_.pop_back();
  metrics_->running_applications.set(running_.size());
  if (running_.empty() && on_idle_) on_idle_();
}

std::size_t AsgiApplication::cancel_all() {
  std::vector<PythonRef> tasks;
  for (const CycleRef& cycle : running_) {
    if (cycle->task() == nullptr) continue;
    cycle->note_cancelled();
    tasks.push_back(PythonRef::share(cycle->task()));
  }
  for (const PythonRef& task : tasks) {
    const PythonRef cancelled =
        PythonRef::steal(PyObject_CallMethodNoArgs(task.get(), interned().cancel));
    if (!cancelled) PyErr_WriteUnraisable(task.get());  // a task factory gives what it likes
  }
  return tasks.size();
}

PyObject* AsgiApplication::overdue(std::chrono::duration<double> timeout) {
  PythonRef tasks = PythonRef::steal(PyList_New(0));
  if (!tasks) return nullptr;
  const auto now = std::chrono::steady_clock::now();
  for (const CycleRef& cycle : running_) {
    if (cycle->task() == nullptr || !cycle->is_overdue(now, timeout)) continue;
    if (PyList_Append(tasks.get(), cycle->task()) != 0) return nullptr;
    cycle->note_cancelled();
  }
  return tasks.release();
}

void AsgiApplication::disown() {
  disowned_ = true;
  log_lines_.clear();
}

void AsgiApplication::abandon_all() {
  std::vector<CycleRef> running = std::exchange(running_, {});
  std::vector<CycleRef> ready = std::exchange(ready_, {});
  metrics_->running_applications.set(0);
  for (const CycleRef& cycle : running) cycle->abandon();
}

void AsgiApplication::log_exception(PyObject* exception) {
  const PythonRef text =
      PythonRef::steal(PyUnicode_FromFormat("Exception inside application: %S", exception));
  if (text) {
    call_logger(interned().error, text.get(), exception);
  } else {
    PyErr_WriteUnraisable(interned().logger);
  }
}

void AsgiApplication::log_cancellation(PyObject* exception) {
  const PythonRef text =
      PythonRef::steal(to_text("The application was cancelled, but not by the server"));
  if (text) call_logger(interned().error, text.get(), exception);
}

void AsgiApplication::log_client_disconnected(PyObject* exception) {
  const PythonRef text = PythonRef::steal(
      to_text("The application's send() raised as its client has left, which ended the call"));
  if (text) call_logger(interned().debug, text.get(), exception);
}

void AsgiApplication::log_endless_sender() {
  if (!served_) return;  // cleared
  const TakenException exception;
  auto* frame = reinterpret_cast<PyObject*>(PyEval_GetFrame());
  const PythonRef served =
      PythonRef::steal(PyObject_CallOneArg(served_.get(), frame == nullptr ? Py_None : frame));
  const PythonRef text = PythonRef::steal(
      served ? PyUnicode_FromFormat(
                   "%S goes on sending though its client has left: after %R s of "
                   "that, send() raises",
                   served.get(),
                   PythonRef::steal(
                       PyFloat_FromDouble(std::chrono::duration<double>(patience_).count()))
                       .get())
             : nullptr);
  if (text) {
    call_logger(interned().warning, text.get(), nullptr);
  } else {
    PyErr_WriteUnraisable(interned().logger);
  }
}

void AsgiApplication::log_error(const char* text) {
  const PythonRef line = PythonRef::steal(to_text(text));
  if (line) call_logger(interned().error, line.get(), nullptr);
}

void AsgiApplication::write_log_lines() {
  if (log_lines_.empty()) return;
  const TakenException exception;
  for (const std::string& line : std::exchange(log_lines_, {})) {
    const PythonRef text = PythonRef::steal(to_text(line));
    if (text) {
      call_logger(interned().warning, text.get(), nullptr);
    } else {
      PyErr_WriteUnraisable(interned().logger);
    }
  }
}

}  // namespace cppasgi::bridge
