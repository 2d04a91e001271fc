#include "asgi_bridge/cycle.h"

#include <structmember.h>

#include <array>
#include <utility>

#include "asgi_bridge/asgi_application.h"
#include "asgi_bridge/awaitable.h"
#include "asgi_bridge/departure.h"
#include "asgi_bridge/interned.h"
#include "asgi_bridge/python_types.h"

namespace cppasgi::bridge {

namespace {

// --- Channel: receive or send, as the application gets them ---

struct Channel {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  Cycle* cycle;  // counted
};

PyTypeObject* receive_type = nullptr;
PyTypeObject* send_type = nullptr;

// As with a coroutine function, an exception comes out of the await, not out of the call.
PyObject* or_raise_when_awaited(PyObject* awaitable) {
  return awaitable != nullptr ? awaitable : raising();
}

PyObject* call_receive(PyObject* self, PyObject* const*, std::size_t count,
                       PyObject* keywords) noexcept {
  if (PyVectorcall_NARGS(count) != 0 || keywords != nullptr) {
    PyErr_SetString(PyExc_TypeError, "receive() takes no arguments");
    return nullptr;
  }
  return or_raise_when_awaited(reinterpret_cast<Channel*>(self)->cycle->receive());
}

PyObject* call_send(PyObject* self, PyObject* const* arguments, std::size_t count,
                    PyObject* keywords) noexcept {
  const bool by_name =
      keywords != nullptr && PyTuple_GET_SIZE(keywords) == 1 && PyVectorcall_NARGS(count) == 0;
  if (!by_name && (PyVectorcall_NARGS(count) != 1 || keywords != nullptr)) {
    PyErr_SetString(PyExc_TypeError, "send() takes one message");
    return nullptr;
  }
  return or_raise_when_awaited(reinterpret_cast<Channel*>(self)->cycle->send(arguments[0]));
}

PyObject* make_channel(PyTypeObject* type, vectorcallfunc function, Cycle* cycle) {
  auto* channel = PyObject_New(Channel, type);
  if (channel == nullptr) return nullptr;
  channel->vectorcall = function;
  channel->cycle = cycle;
  cycle->add_reference();
  return reinterpret_cast<PyObject*>(channel);
}

void channel_dealloc(PyObject* self) noexcept {
  reinterpret_cast<Channel*>(self)->cycle->drop_reference();
  free_object(self);
}

// --- ApplicationCall: the coroutine that the task steps. It sees the application's end without a
// done-callback. ---

struct ApplicationCall {
  PyObject_HEAD
  Cycle* cycle;         // counted
  PyObject* coroutine;  // the application's; null before the first step and after the last
  bool over;
};

PyTypeObject* application_call_type = nullptr;

// The application has ended with an exception: what does the task see?
PySendResult end_raised(ApplicationCall* call, PyObject** result) {
  call->over = true;
  Py_CLEAR(call->coroutine);
  if (!call->cycle->raised()) return PYGEN_ERROR;
  *result = Py_NewRef(Py_None);
  return PYGEN_RETURN;
}

PySendResult end_returned(ApplicationCall* call, PyObject** result) {
  call->over = true;
  Py_CLEAR(call->coroutine);
  call->cycle->returned();
  Py_XSETREF(*result, Py_NewRef(Py_None));
  return PYGEN_RETURN;
}

PySendResult application_call_send(PyObject* self, PyObject* argument, PyObject** result) noexcept {
  auto* call = reinterpret_cast<ApplicationCall*>(self);
  *result = nullptr;
  if (call->over) {
    PyErr_SetString(PyExc_RuntimeError, "cannot reuse an application call that has ended");
    return PYGEN_ERROR;
  }
  // Called here, not when the task is made, so that all of the application runs in the task's
  // context.
  if (call->coroutine == nullptr &&
      (call->coroutine = call->cycle->call_application()) == nullptr) {
    return end_raised(call, result);
  }
  switch (PyIter_Send(call->coroutine, argument, result)) {
    case PYGEN_NEXT:
      return PYGEN_NEXT;
    case PYGEN_RETURN:
      return end_returned(call, result);
    default:
      return end_raised(call, result);
  }
}

// throw(): what asyncio uses to cancel. The application may catch it and go on.
PyObject* application_call_throw(PyObject* self, PyObject* const* arguments,
                                 Py_ssize_t count) noexcept {
  auto* call = reinterpret_cast<ApplicationCall*>(self);
  PyObject* result = nullptr;
  if (call->coroutine == nullptr) {
    raise_thrown(arguments, count);
    if (!call->over && end_raised(call, &result) == PYGEN_RETURN) set_stop_iteration(result);
    return nullptr;
  }
  const PythonRef method = PythonRef::steal(PyObject_GetAttr(call->coroutine, interned().throw_));
  if (!method) return nullptr;
  result = PyObject_Vectorcall(method.get(), arguments, static_cast<std::size_t>(count), nullptr);
  if (result != nullptr) return result;
  PySendResult outcome;
  if (PyErr_ExceptionMatches(PyExc_StopIteration)) {
    PyErr_Clear();
    outcome = end_returned(call, &result);
  } else {
    outcome = end_raised(call, &result);
  }
  if (outcome == PYGEN_RETURN) set_stop_iteration(result);
  return nullptr;
}

PyObject* application_call_close(PyObject* self, PyObject*) noexcept {
  auto* call = reinterpret_cast<ApplicationCall*>(self);
  if (call->coroutine == nullptr) Py_RETURN_NONE;
  return PyObject_CallMethodNoArgs(call->coroutine, interned().close);
}

// cr_frame, cr_await, __qualname__ and the like are those of the application's coroutine: debuggers
// and asyncio's repr ask.
PyObject* application_call_getattro(PyObject* self, PyObject* name) noexcept {
  PyObject* own = PyObject_GenericGetAttr(self, name);
  if (own != nullptr || !PyErr_ExceptionMatches(PyExc_AttributeError)) return own;
  PyObject* coroutine = reinterpret_cast<ApplicationCall*>(self)->coroutine;
  if (coroutine == nullptr) return nullptr;
  PyErr_Clear();
  return PyObject_GetAttr(coroutine, name);
}

void application_call_dealloc(PyObject* self) noexcept {
  auto* call = reinterpret_cast<ApplicationCall*>(self);
  Py_CLEAR(call->coroutine);
  call->cycle->drop_reference();
  free_object(self);
}

PyObject* make_application_call(Cycle* cycle) {
  auto* call = PyObject_New(ApplicationCall, application_call_type);
  if (call == nullptr) return nullptr;
  call->cycle = cycle;
  call->coroutine = nullptr;
  call->over = false;
  cycle->add_reference();
  return reinterpret_cast<PyObject*>(call);
}

// What an application returned when it was called, as something to step.
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

PyTypeObject* make_channel_type(PyType_Spec& spec) {
  PythonRef type = PythonRef::steal(PyType_FromSpec(&spec));
  if (!type) return nullptr;
  // inspect and asgiref take them for coroutine functions, as the closures of other servers are.
  const PythonRef coroutines = PythonRef::steal(PyImport_ImportModule("asyncio.coroutines"));
  const PythonRef inspect = PythonRef::steal(PyImport_ImportModule("inspect"));
  if (!coroutines || !inspect) return nullptr;
  // What asyncio.iscoroutinefunction looks for, as long as there is one.
  const PythonRef mark =
      PythonRef::steal(PyObject_GetAttrString(coroutines.get(), "_is_coroutine"));
  if (!mark) PyErr_Clear();
  if (mark && PyObject_SetAttrString(type.get(), "_is_coroutine", mark.get()) != 0) return nullptr;
#if PY_VERSION_HEX >= 0x030C0000
  if (!PythonRef::steal(
          PyObject_CallMethod(inspect.get(), "markcoroutinefunction", "O", type.get())))
    return nullptr;
#endif
  return reinterpret_cast<PyTypeObject*>(type.release());
}

// The task that runs now; null when none does.
PythonRef current_task() {
  const ExceptionAside aside;
  PythonRef task = PythonRef::steal(PyObject_CallNoArgs(interned().current_task));
  if (!task) PyErr_Clear();  // stepped by hand, outside of any loop
  return task.get() == Py_None ? PythonRef() : task;
}

}  // namespace

int init_cycles() {
  static PyMemberDef channel_members[] = {
      {"__vectorcalloffset__", T_PYSSIZET, offsetof(Channel, vectorcall), READONLY, nullptr},
      {nullptr, 0, 0, 0, nullptr}};
  static PyType_Slot channel_slots[] = {{Py_tp_dealloc, as_slot(&channel_dealloc)},
                                        {Py_tp_call, as_slot(&PyVectorcall_Call)},
                                        {Py_tp_members, channel_members},
                                        {0, nullptr}};
  constexpr unsigned kChannelFlags = kFinalType | Py_TPFLAGS_HAVE_VECTORCALL;
  static PyType_Spec receive_spec = {"cppasgi._native.Receive", sizeof(Channel), 0, kChannelFlags,
                                     channel_slots};
  static PyType_Spec send_spec = {"cppasgi._native.Send", sizeof(Channel), 0, kChannelFlags,
                                  channel_slots};
  static PyMethodDef call_methods[] = {
      {"send", &send_by<&application_call_send>, METH_O, nullptr},
      {"throw", as_method(&application_call_throw), METH_FASTCALL, nullptr},
      {"close", &application_call_close, METH_NOARGS, nullptr},
      {nullptr, nullptr, 0, nullptr}};
  static PyType_Slot call_slots[] = {{Py_tp_dealloc, as_slot(&application_call_dealloc)},
                                     {Py_tp_getattro, as_slot(&application_call_getattro)},
                                     {Py_tp_methods, call_methods},
                                     CPPASGI_COROUTINE_SLOTS(&application_call_send),
                                     {0, nullptr}};
  static PyType_Spec call_spec = {"cppasgi._native.ApplicationCall", sizeof(ApplicationCall), 0,
                                  kFinalType, call_slots};
  if ((receive_type = make_channel_type(receive_spec)) == nullptr) return -1;
  if ((send_type = make_channel_type(send_spec)) == nullptr) return -1;
  if ((application_call_type = make_coroutine_type(call_spec)) == nullptr) return -1;
  return 0;
}

// --- Cycle ---

PyObject* Cycle::call_application() {
  const PythonRef scope = PythonRef::steal(make_scope());
  if (!scope) return nullptr;
  const PythonRef receive = PythonRef::steal(make_channel(receive_type, &call_receive, this));
  const PythonRef send = PythonRef::steal(make_channel(send_type, &call_send, this));
  if (!receive || !send) return nullptr;
  const std::array<PyObject*, 3> arguments{scope.get(), receive.get(), send.get()};
  return to_stepped(
      PyObject_Vectorcall(application_->callable(), arguments.data(), arguments.size(), nullptr));
}

void Cycle::returned() {
  const CycleRef keep(this);
  ended();
  application_returned();
  end_waits();
}

bool Cycle::raised() {
  const CycleRef keep(this);
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  const bool is_ours = is_departure(value);
  const bool is_cancellation =
      !is_ours && PyErr_GivenExceptionMatches(value, interned().cancelled_error) != 0;
  const bool is_error =
      !is_ours && !is_cancellation && PyErr_GivenExceptionMatches(value, PyExc_Exception) != 0;
  if (traceback != nullptr) PyException_SetTraceback(value, traceback);
  if (is_ours) {
    application_->log_departure(value);
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
  if (!is_ours && !is_error) {
    PyErr_Restore(type, value, traceback);
    return false;
  }
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(traceback);
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
  while (!receivers_.empty()) {
    bool pending = false;
    PythonRef message = next_message(pending);
    if (pending) break;
    if (listening_lasts() || exchange_over()) note_listener(receivers_.first_task());
    if (!message || !receivers_.resolve_first(std::move(message))) return false;
  }
  if (client_left_ && !listens_beside(Party::Other)) {
    while (!senders_.empty()) {
      if (!senders_.reject_first(interned().client_disconnected, kClientLeft)) return false;
    }
  } else if (client_left_ || exchange_over() || std::exchange(writable_again_, false)) {
    // A task that was woken here may have filled the connection again and wait behind the others.
    while (!senders_.empty() && (client_left_ || writable())) {
      if (!senders_.resolve_first({})) return false;
    }
  }
  return true;
}

PyObject* Cycle::next_or_wait() {
  bool pending = false;
  PythonRef message = next_message(pending);
  return pending ? receivers_.park(wait_loop()) : completed_with(message.release());
}

PyObject* Cycle::first_message(PyObject* message) {
  return message == nullptr ? nullptr : make_notice(*this, message, Yields::No);
}

PyObject* Cycle::last_message(PyObject* message) {
  return message == nullptr ? nullptr : make_notice(*this, message, Yields::Yes);
}

// After a round of the loop, in which a listener that was just started gets its first step.
PyObject* Cycle::send_too_late() { return make_notice(*this, nullptr, Yields::Yes); }

PyObject* Cycle::sent_too_late() {
  const auto now = std::chrono::steady_clock::now();
  if (too_late_since_ == std::chrono::steady_clock::time_point{}) too_late_since_ = now;
  if (!listens_beside(party(current_task().get()))) return raise_client_left();
  if (!application_->is_over_patience(now - too_late_since_)) Py_RETURN_NONE;
  if (!std::exchange(reported_too_late_, true)) application_->log_endless_sender();
  return raise_client_left();
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

// In its eager first step the application's task isn't known yet, but is the only one.
Cycle::Party Cycle::party(PyObject* other) const {
  return task() == nullptr || other == task() ? Party::Application : Party::Other;
}

bool Cycle::listens_beside(Party sender) const {
  return listens_elsewhere_ || (listens_itself_ && sender == Party::Other);
}

const WaitLoop& Cycle::wait_loop() const { return application_->wait_loop(); }

bool Cycle::start() {
  const PythonRef call = PythonRef::steal(make_application_call(this));
  if (!call) return false;
  running_ = true;
  application_->add_running(*this);
  PythonRef task = application_->start_task(call.get());
  // Null from a task factory that raises, or from an application that has dealt with its end
  // already.
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
  const bool asks = ++sends_ % kSendsInTurn == 0;
  return asks && !application_->has_time_left() ? yield_once() : completed_none();
}

}  // namespace cppasgi::bridge
