#include "asgi_bridge/loop_bridge.h"

#include <structmember.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "asgi_bridge/interned.h"
#include "asgi_bridge/interpreter_end.h"
#include "asgi_bridge/loop_core.h"
#include "asgi_bridge/python_types.h"

namespace cppasgi::bridge {

using std::chrono::milliseconds;

namespace {

constexpr int kMaxTicks = 8;  // in one callback of asyncio's, whose others wait meanwhile

// A callable that asyncio may keep longer than the bridge lives. It owns nothing, so the garbage
// collector needn't know it.
struct Callback {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  LoopBridge* bridge;  // null once the bridge has let go
  bool (LoopBridge::*function)();
};

PyTypeObject* callback_type = nullptr;

PyObject* call_callback(PyObject* self, PyObject* const*, std::size_t, PyObject*) noexcept {
  hold_at_interpreter_end();
  auto* callback = reinterpret_cast<Callback*>(self);
  LoopBridge* bridge = callback->bridge;
  if (bridge == nullptr) Py_RETURN_NONE;
  const PythonRef server = PythonRef::share(bridge->server());
  if (!bridge->run(callback->function)) return nullptr;
  Py_RETURN_NONE;
}

void callback_dealloc(PyObject* self) noexcept { free_object(self); }

void disarm(const PythonRef& callback) {
  if (callback) reinterpret_cast<Callback*>(callback.get())->bridge = nullptr;
}

}  // namespace

int init_loop_bridge() {
  static PyMemberDef members[] = {
      {"__vectorcalloffset__", T_PYSSIZET, offsetof(Callback, vectorcall), READONLY, nullptr},
      {nullptr, 0, 0, 0, nullptr}};
  static PyType_Slot slots[] = {{Py_tp_dealloc, as_slot(&callback_dealloc)},
                                {Py_tp_call, as_slot(&PyVectorcall_Call)},
                                {Py_tp_members, members},
                                {0, nullptr}};
  static PyType_Spec spec = {"cppasgi._native.LoopCallback", sizeof(Callback), 0,
                             kFinalType | Py_TPFLAGS_HAVE_VECTORCALL, slots};
  callback_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return callback_type == nullptr ? -1 : 0;
}

LoopBridge::LoopBridge(net::EventLoop& loop, PyObject* asyncio_loop, std::function<bool()> on_tick,
                       std::function<bool()> on_soon)
    : loop_(loop),
      asyncio_loop_(PythonRef::share(asyncio_loop)),
      on_tick_(std::move(on_tick)),
      on_soon_(std::move(on_soon)) {}

LoopBridge::~LoopBridge() { detach(); }

PyObject* LoopBridge::make_callback(bool (LoopBridge::*function)()) {
  auto* callback = PyObject_New(Callback, callback_type);
  if (callback == nullptr) return nullptr;
  callback->vectorcall = &call_callback;
  callback->bridge = this;
  callback->function = function;
  return reinterpret_cast<PyObject*>(callback);
}

bool LoopBridge::run(bool (LoopBridge::*function)()) {
  ++running_;
  const bool succeeded = (this->*function)();
  --running_;
  return succeeded;
}

// Calls loop.<method>(first[, second], context=); null with an exception.
PythonRef LoopBridge::call_loop(PyObject* method, PyObject* first, PyObject* second) {
  // The loop is kept here because the call may lead to detach().
  const PythonRef loop = asyncio_loop_;
  // A context can't be entered twice, and the loop may run inside the call that runs now.
  const PythonRef context =
      running_ == 0 ? context_ : PythonRef::steal(PyContext_Copy(context_.get()));
  if (!context) return {};
  PyObject* last = second == nullptr ? context.get() : second;
  const std::array<PyObject*, 4> arguments{loop.get(), first, last, context.get()};
  return PythonRef::steal(PyObject_VectorcallMethod(
      method, arguments.data(), second == nullptr ? 2 : 3, interned().context_names));
}

bool LoopBridge::attach() {
  loop_.set_on_touched([this] {
    if (!ticking_) soon();
  });
  tick_ = PythonRef::steal(make_callback(&LoopBridge::run_ticks));
  soon_ = PythonRef::steal(make_callback(&LoopBridge::run_soon));
  on_timer_ = PythonRef::steal(make_callback(&LoopBridge::on_timer));
  context_ = PythonRef::steal(PyContext_CopyCurrent());
  const PythonRef fd = PythonRef::steal(PyLong_FromLong(loop_.backend_fd()));
  if (!tick_ || !soon_ || !on_timer_ || !context_ || !fd) return false;
  return PythonRef::steal(PyObject_CallMethodObjArgs(asyncio_loop_.get(), interned().add_reader,
                                                     fd.get(), tick_.get(), nullptr)) &&
         set_embedded_poller(asyncio_loop_.get(), loop_.backend_fd(), tick_.get());
}

// Disarms all callbacks. Returns the asyncio loop, or null if that was done before.
PythonRef LoopBridge::let_go() {
  disarm(tick_);
  disarm(soon_);
  disarm(on_timer_);
  loop_.set_on_touched({});
  PythonRef asyncio_loop = std::move(asyncio_loop_);
  if (asyncio_loop) clear_embedded_poller(asyncio_loop.get());
  return asyncio_loop;
}

void LoopBridge::disown() {
  const TakenException exception;
  let_go();
}

void LoopBridge::detach() {
  const TakenException exception;
  const PythonRef asyncio_loop = let_go();
  if (!asyncio_loop) return;
  const PythonRef fd = PythonRef::steal(PyLong_FromLong(loop_.backend_fd()));
  // A loop that is closed already doesn't have the reader any more.
  if (fd && !PythonRef::steal(
                PyObject_CallMethodOneArg(asyncio_loop.get(), interned().remove_reader, fd.get())))
    PyErr_Clear();
  cancel_timer();
  context_.clear();
}

void LoopBridge::cancel_timer() {
  timer_due_ = milliseconds::max();
  const PythonRef timer = std::move(timer_);
  if (timer && !PythonRef::steal(PyObject_CallMethodNoArgs(timer.get(), interned().cancel)))
    PyErr_Clear();
}

void LoopBridge::soon() {
  if (soon_asked_ || !asyncio_loop_) return;
  if (quiet_ != 0) {
    soon_wanted_ = true;
    return;
  }
  soon_asked_ = true;
  const TakenException exception;  // a batch may have ended with one
  // Another thread may call send() too, and a loop that waits doesn't notice call_soon().
  PyObject* method = PyThread_get_thread_ident() == thread_ ? interned().call_soon
                                                            : interned().call_soon_threadsafe;
  if (!call_loop(method, soon_.get())) PyErr_WriteUnraisable(soon_.get());
}

bool LoopBridge::run_soon() {
  soon_asked_ = false;
  if (!on_soon_()) return false;
  return loop_.touched() ? run_ticks() : true;
}

bool LoopBridge::run_ticks() {
  thread_ = PyThread_get_thread_ident();
  ticking_ = true;
  bool succeeded = true;
  // What a tick brings is answered before the next tick, so that a connection which ends with its
  // first response never gets into the epoll set.
  for (int i = 0; i < kMaxTicks; ++i) {
    loop_.run_ready();
    succeeded = on_tick_();
    if (!succeeded || !loop_.touched()) break;
  }
  ticking_ = false;
  if (loop_.touched()) soon();
  arm_timer();
  return succeeded;
}

bool LoopBridge::on_timer() {
  timer_.clear();
  timer_due_ = milliseconds::max();
  return run_ticks();
}

// libuv's timers don't make its descriptor readable: asyncio wakes us for the next one.
void LoopBridge::arm_timer() {
  const auto due = loop_.next_due();
  if (!due || *due >= timer_due_ || !asyncio_loop_) return;
  const TakenException exception;  // as in soon()
  cancel_timer();
  // Applications may have taken long in these ticks.
  const milliseconds left = std::max(*due - loop_.now(), milliseconds(0));
  const PythonRef delay =
      PythonRef::steal(PyFloat_FromDouble(static_cast<double>(left.count()) / 1000.0));
  if (!delay || !asyncio_loop_) return PyErr_Clear();
  timer_ = call_loop(interned().call_later, delay.get(), on_timer_.get());
  if (!timer_) return PyErr_WriteUnraisable(on_timer_.get());
  timer_due_ = *due;
  if (!asyncio_loop_) cancel_timer();
}

}  // namespace cppasgi::bridge
