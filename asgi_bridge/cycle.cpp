#include "asgi_bridge/cycle.h"

#include <array>
#include <utility>

#include "asgi_bridge/application_call.h"
#include "asgi_bridge/asgi_application.h"
#include "asgi_bridge/client_disconnect.h"
#include "asgi_bridge/interned.h"
#include "asgi_bridge/loop_bridge.h"

namespace cppasgi::bridge {

namespace {

// Turns what an application returned into something to step. Steals the reference.
PyObject* to_stepped(PyObject* awaitable) {
  if (awaitable == nullptr || PyCoro_CheckExact(awaitable)) return awaitable;
  const PythonRef owned = PythonRef::steal(awaitable);
  const PyAsyncMethods* methods = Py_TYPE(awaitable)->tp_as_async;
  if (methods == nullptr || methods->am_await == nullptr) {
    PyErr_Format(PyExc_TypeError, "the application returned %R instead of an awaitable",
                 Py_TYPE(awaitable));
    return nullptr;
  }
  return methods->am_await(awaitable);
}

// Returns the task that runs now, or null if none does.
PythonRef current_task() {
  const TakenException exception;
  PythonRef task = PythonRef::steal(PyObject_CallNoArgs(interned().current_task));
  if (!task) PyErr_Clear();  // stepped by hand, outside of any loop
  return task.get() == Py_None ? PythonRef() : task;
}

}  // namespace

void Cycle::become_owned_by(PyObject* call) {
  call_ = call;
  for (; references_ != 0; --references_) Py_INCREF(call_);
  server_ = PythonRef::share(application_->server());
}

int Cycle::traverse(visitproc visit, void* arg) const {
  Py_VISIT(server_.get());
  Py_VISIT(task_.get());
  // While the exchange lasts, the core will end its waits, so they aren't garbage even if no Python
  // object leads to them.
  if (!exchange_over()) return 0;
  const int result = receivers_.traverse(visit, arg);
  return result != 0 ? result : senders_.traverse(visit, arg);
}

// The server is kept, because the cycle's handles look into its tables. It drops its own
// references.
void Cycle::clear() {
  task_.clear();
  receivers_.clear();
  senders_.clear();
}

PyObject* Cycle::call_application() {
  const PythonRef scope = PythonRef::steal(make_scope());
  if (!scope) return nullptr;
  const PythonRef receive = PythonRef::steal(make_receive(*this));
  const PythonRef send = PythonRef::steal(make_send(*this));
  if (!receive || !send) return nullptr;
  const std::array<PyObject*, 3> arguments{scope.get(), receive.get(), send.get()};
  return to_stepped(
      PyObject_Vectorcall(application_->callable(), arguments.data(), arguments.size(), nullptr));
}

void Cycle::returned() {
  const CycleRef keep(this);
  const LoopBridge::Quiet quiet(loop_bridge());
  ended();
  application_returned();
  end_waits();
}

bool Cycle::raised() {
  const CycleRef keep(this);
  const LoopBridge::Quiet quiet(loop_bridge());
  TakenException exception;
  PyObject* value = exception.get();
  const bool is_ours = is_client_disconnected(value);
  const bool is_cancellation =
      !is_ours && PyErr_GivenExceptionMatches(value, interned().cancelled_error) != 0;
  const bool is_error =
      !is_ours && !is_cancellation && PyErr_GivenExceptionMatches(value, PyExc_Exception) != 0;
  if (is_ours) {
    application_->log_client_disconnected(value);
  } else if (is_error) {
    application_->log_exception(value);
  } else if (is_cancellation && running_ && !cancelled_) {
    application_->log_cancellation(value);
  }
  ended();
  if (is_ours) {
    application_returned();
  } else {
    application_failed();
  }
  end_waits();
  if (!is_ours && !is_error) return false;
  exception.clear();
  return true;
}

void Cycle::ended() {
  if (!running_) return;
  running_ = false;
  task_.clear();
  application_->remove_running(*this);
}

bool Cycle::run() {
  if (!started_) {
    started_ = true;
    return start();
  }
  return wake();
}

bool Cycle::wake() {
  const auto quietly = [this](auto&& call) {
    const LoopBridge::Quiet quiet(loop_bridge());
    return call();
  };
  while (!receivers_.empty()) {
    bool pending = false;
    PythonRef message = quietly([&] { return next_message(pending); });
    if (pending) break;
    if (listening_lasts() || exchange_over()) note_listener(receivers_.first_task());
    if (!message || !receivers_.resolve_first(std::move(message))) return false;
  }
  if (senders_.empty()) return true;
  if (client_left_ && !may_send_on(Party::Other)) {
    while (!senders_.empty()) {
      if (!senders_.reject_first(interned().client_disconnected, kClientLeft)) return false;
    }
  } else if (client_left_ || exchange_over() || std::exchange(writable_again_, false)) {
    // A task that was woken here may fill the connection again, and wait behind the others.
    while (!senders_.empty() && (client_left_ || quietly([this] { return poll_writable(); }))) {
      if (!senders_.resolve_first({})) return false;
    }
  }
  return true;
}

PyObject* Cycle::next_or_wait() {
  bool pending = false;
  PythonRef message = next_message(pending);
  return pending ? receivers_.wait(wait_loop()) : completed_with(message.release());
}

PyObject* Cycle::first_message(PyObject* message) {
  return message == nullptr ? nullptr : make_notice(*this, message, Yields::No);
}

PyObject* Cycle::last_message(PyObject* message) {
  if (message == nullptr) return nullptr;
  const bool again = std::exchange(last_message_given_, true);
  return make_notice(*this, message, again ? Yields::Yes : Yields::No);
}

// The await lets the loop make a turn first, in which a listener that was just started takes its
// first step.
PyObject* Cycle::send_too_late() { return make_notice(*this, nullptr, Yields::Yes); }

PyObject* Cycle::sent_too_late() {
  const auto now = std::chrono::steady_clock::now();
  if (too_late_since_ == std::chrono::steady_clock::time_point{}) too_late_since_ = now;
  if (!may_send_on(party(current_task().get()))) return raise_client_disconnected();
  if (!application_->is_over_patience(now - too_late_since_)) Py_RETURN_NONE;
  if (!std::exchange(reported_too_late_, true)) application_->log_endless_sender();
  return raise_client_disconnected();
}

void Cycle::note_listener() { note_listener(current_task().get()); }

void Cycle::note_listener(PyObject* listener) {
  if (listener == nullptr) return;
  if (party(listener) == Party::Other) {
    listens_elsewhere_ = true;
  } else if (!listening_lasts()) {
    listens_itself_ = true;
  }
}

// During an eager first step the application's task isn't known yet, but it is the only one.
Cycle::Party Cycle::party(PyObject* other) const {
  return task() == nullptr || other == task() ? Party::Application : Party::Other;
}

bool Cycle::listens_beside(Party sender) const {
  return listens_elsewhere_ || (listens_itself_ && sender == Party::Other);
}

LoopBridge& Cycle::loop_bridge() { return application_->loop_bridge(); }

const WaitLoop& Cycle::wait_loop() const { return application_->wait_loop(); }

bool Cycle::start() {
  const PythonRef call = PythonRef::steal(make_application_call(*this));
  if (!call) return false;
  running_ = true;
  application_->add_running(*this);
  PythonRef task = application_->start_task(call.get());
  // The task is null if a task factory raised, or if the application raised in an eager first step,
  // which has been dealt with.
  if (!task) return running_ && raised();
  if (running_) task_ = std::move(task);
  return true;
}

bool Cycle::is_overdue(std::chrono::steady_clock::time_point now,
                       std::chrono::duration<double> timeout) {
  if (reported_overdue_ || !exchange_over()) return false;
  if (!over_since_) over_since_ = now;
  reported_overdue_ = now - *over_since_ >= timeout;
  return reported_overdue_;
}

void Cycle::abandon() {
  running_ = false;
  task_.clear();
}

void Cycle::queue() { application_->queue(*this); }

PyObject* Cycle::sent() {
  const bool asks = ++sends_ % kSendsPerLook == 0;
  return asks && !application_->has_time_left() ? yield_once() : completed_none();
}

}  // namespace cppasgi::bridge
