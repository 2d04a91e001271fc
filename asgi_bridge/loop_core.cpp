#include "asgi_bridge/loop_core.h"

#include <structmember.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <utility>
#include <vector>

#include "asgi_bridge/interned.h"
#include "asgi_bridge/loop_handle.h"
#include "asgi_bridge/python_ref.h"
#include "asgi_bridge/python_types.h"
#include "server/net/epoll_waiter.h"

namespace cppasgi::bridge {

namespace {

constexpr double kLongestWait = 24 * 3600;  // seconds, as asyncio's
constexpr double kClockResolution = 1e-9;   // of a steady clock, in seconds
// asyncio's: a turn drops the cancelled timers when there are more than half of so many.
constexpr Py_ssize_t kMinTimersToDrop = 100;

// How a thread that adds a callback gets the loop to see it.
enum class Wakes : std::uint8_t {
  BySocket,   // asyncio's own turn waits, or none does
  NotNeeded,  // a turn of ours runs, and looks before it waits
  ByEvent     // a turn of ours waits
};

// The attributes of asyncio.BaseEventLoop that a turn needs are kept here instead of in its
// dictionary; Python finds them under the same names.
struct LoopCore {
  PyObject_HEAD
  PyObject* ready;  // collections.deque of handles
  PyObject* append;
  PyObject* popleft;
  PyObject* scheduled;  // heapq of TimerHandles
  Py_ssize_t timer_cancelled_count;
  PyObject* keys;            // descriptor: selectors.SelectorKey
  net::EpollWaiter* waiter;  // owned; null before _watch()
  PyObject* guest;           // set_guest()'s handle; null without one
  int guest_fd;
  bool guest_ready;
  unsigned long thread;      // that runs the turns
  bool closed;
  bool stopping;
  bool debug;
  bool called_from_thread;  // since the loop last had nothing to do
  Wakes wakes;

  static LoopCore* of(PyObject* object) { return reinterpret_cast<LoopCore*>(object); }
};

double monotonic_seconds() {
  // The clock of time.monotonic().
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// --- call_soon ---

// asyncio's own method of that name.
PyObject* call_stock(PyObject* name, PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                     PyObject* keywords) {
  const PythonRef function = PythonRef::steal(PyObject_GetAttr(interned().base_event_loop, name));
  if (!function) return nullptr;
  std::vector<PyObject*> all{self};
  all.insert(all.end(), arguments,
             arguments + count + (keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords)));
  return PyObject_Vectorcall(function.get(), all.data(), static_cast<std::size_t>(count) + 1,
                             keywords);
}

// Adds a handle for a call of call_soon(callback, *args, context=None). Null with an exception.
PythonRef add_call(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                   PyObject* keywords) {
  LoopCore* core = LoopCore::of(self);
  if (core->closed) {
    PyErr_SetString(PyExc_RuntimeError, "Event loop is closed");
    return {};
  }
  PyObject* context = nullptr;
  if (keywords != nullptr && PyTuple_GET_SIZE(keywords) > 0) {
    if (PyTuple_GET_SIZE(keywords) != 1 ||
        PyUnicode_Compare(PyTuple_GET_ITEM(keywords, 0), interned().context) != 0) {
      PyErr_SetString(PyExc_TypeError, "call_soon() takes no other keyword than context");
      return {};
    }
    context = arguments[count];
  }
  if (count < 1) {
    PyErr_SetString(PyExc_TypeError, "call_soon() takes a callback");
    return {};
  }
  PythonRef handle = make_handle(self, arguments[0], arguments + 1, count - 1,
                                 context == Py_None ? nullptr : context);
  if (!handle) return {};
  const PythonRef added = PythonRef::steal(PyObject_CallOneArg(core->append, handle.get()));
  return added ? std::move(handle) : PythonRef();
}

PyObject* core_call_soon(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                         PyObject* keywords) noexcept {
  if (LoopCore::of(self)->debug)
    return call_stock(interned().call_soon, self, arguments, count, keywords);
  return add_call(self, arguments, count, keywords).release();
}

PyObject* core_call_soon_threadsafe(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                                    PyObject* keywords) noexcept {
  LoopCore* core = LoopCore::of(self);
  if (core->debug)
    return call_stock(interned().call_soon_threadsafe, self, arguments, count, keywords);
  PythonRef handle = add_call(self, arguments, count, keywords);
  if (!handle) return nullptr;
  core->called_from_thread |= PyThread_get_thread_ident() != core->thread;
  if (core->wakes == Wakes::ByEvent) {
    core->wakes = Wakes::NotNeeded;
    core->waiter->wake();
  } else if (core->wakes == Wakes::BySocket &&
             !PythonRef::steal(PyObject_CallMethodNoArgs(self, interned().write_to_self))) {
    return nullptr;
  }
  return handle.release();
}

PyObject* core_time(PyObject*, PyObject*) noexcept {
  return PyFloat_FromDouble(monotonic_seconds());
}

// --- timers ---

// Takes the first timer out of the heap. Null with an exception.
PythonRef pop_timer(LoopCore* core) {
  PythonRef first = PythonRef::steal(PyObject_CallOneArg(interned().heappop, core->scheduled));
  if (!first || PyObject_SetAttr(first.get(), interned().scheduled, Py_False) != 0) return {};
  return first;
}

// When the first timer that isn't cancelled is due; infinity if there is none, NaN with an
// exception. Drops the cancelled before it.
double next_due(LoopCore* core) {
  while (PyList_GET_SIZE(core->scheduled) > 0) {
    const PythonRef first = PythonRef::share(PyList_GET_ITEM(core->scheduled, 0));
    const int cancelled = handle_cancelled(first.get());
    if (cancelled < 0) return NAN;
    if (cancelled == 0) {
      const PythonRef when = PythonRef::steal(PyObject_GetAttr(first.get(), interned().when));
      const double due = when ? PyFloat_AsDouble(when.get()) : NAN;
      return PyErr_Occurred() != nullptr ? NAN : due;
    }
    --core->timer_cancelled_count;
    if (!pop_timer(core)) return NAN;
  }
  return HUGE_VAL;
}

// Makes the timers ready that are due, of which the first is so at `due`. False with an exception.
bool move_due_timers(LoopCore* core, double due) {
  if (std::isinf(due)) return true;
  const double end = monotonic_seconds() + kClockResolution;
  while (due < end) {
    const PythonRef first = pop_timer(core);
    if (!first || !PythonRef::steal(PyObject_CallOneArg(core->append, first.get()))) return false;
    due = next_due(core);
    if (std::isnan(due)) return false;
  }
  return true;
}

// --- waiting ---

// Makes one side of a watched descriptor ready. False with an exception.
bool add_watcher(PyObject* self, PyObject* handle, PyObject* fileobj, PyObject* remove) {
  if (handle == Py_None) return true;
  const int cancelled = handle_cancelled(handle);
  if (cancelled < 0) return false;
  return static_cast<bool>(
      PythonRef::steal(cancelled > 0 ? PyObject_CallMethodOneArg(self, remove, fileobj)
                                     : PyObject_CallOneArg(LoopCore::of(self)->append, handle)));
}

// As selectors.EpollSelector.select() and asyncio's _process_events(). False with an exception.
bool add_event(PyObject* self, const net::EpollWaiter::Event& event) {
  constexpr long kRead = 1, kWrite = 2;  // selectors.EVENT_READ, EVENT_WRITE
  LoopCore* core = LoopCore::of(self);
  if (event.fd == core->guest_fd && core->guest != nullptr) {
    core->guest_ready = true;
    return true;
  }
  const PythonRef fd = PythonRef::steal(PyLong_FromLong(event.fd));
  if (!fd) return false;
  const PythonRef key = PythonRef::share(PyDict_GetItemWithError(core->keys, fd.get()));
  if (!key) return PyErr_Occurred() == nullptr;
  PyObject *fileobj = nullptr, *number = nullptr, *reader = nullptr, *writer = nullptr;
  long wanted = 0;
  if (!PyArg_ParseTuple(key.get(), "OOl(OO)", &fileobj, &number, &wanted, &reader, &writer))
    return false;
  const bool reads = event.readable && (wanted & kRead) != 0;
  const bool writes = event.writable && (wanted & kWrite) != 0;
  return (!reads || add_watcher(self, reader, fileobj, interned().internal_remove_reader)) &&
         (!writes || add_watcher(self, writer, fileobj, interned().internal_remove_writer));
}

// Waits for `timeout` milliseconds at most, -1 for ever, and makes the callbacks of what happened
// ready. False with an exception.
bool wait(PyObject* self, int timeout) {
  LoopCore* core = LoopCore::of(self);
  int count = 0;
  // While other threads work for the application, the interpreter is let go of only when there is
  // nothing to do: each time may cost two switches of threads.
  if (timeout == 0 || core->called_from_thread) count = core->waiter->wait(0);
  if (count == 0 && timeout != 0) {
    core->called_from_thread = false;
    core->wakes = Wakes::ByEvent;
    Py_BEGIN_ALLOW_THREADS;
    count = core->waiter->wait(timeout);
    Py_END_ALLOW_THREADS;
    core->wakes = Wakes::NotNeeded;
  }
  if (count == -EINTR) return true;  // signal handlers run in run_forever()'s Python code
  if (count < 0) {
    errno = -count;
    PyErr_SetFromErrno(PyExc_OSError);
    return false;
  }
  for (int i = 0; i < count; ++i) {
    if (!add_event(self, core->waiter->event(i))) return false;
  }
  return true;
}

// Milliseconds to wait for, -1 for ever; less than that with an exception. `due` is the first
// timer's time.
int timeout_of(LoopCore* core, double due) {
  constexpr int kFailed = -2;
  const Py_ssize_t ready = PyObject_Size(core->ready);
  if (ready < 0) return kFailed;
  if (ready > 0 || core->stopping) return 0;
  if (std::isinf(due)) return -1;
  const double seconds = std::clamp(due - monotonic_seconds(), 0.0, kLongestWait);
  return static_cast<int>(std::ceil(seconds * 1000.0));
}

// asyncio's turn, without its debug mode. False with an exception.
bool turn(PyObject* self) {
  LoopCore* core = LoopCore::of(self);
  core->wakes = Wakes::NotNeeded;
  core->thread = PyThread_get_thread_ident();
  const double due = next_due(core);
  if (std::isnan(due)) return false;
  const int timeout = timeout_of(core, due);
  if (timeout < -1 || !wait(self, timeout) || !move_due_timers(core, due)) return false;
  if (std::exchange(core->guest_ready, false)) {
    const PythonRef guest = PythonRef::share(core->guest);
    if (guest && !run_handle(self, guest.get())) return false;
  }
  // What these add is run in the next turn.
  for (Py_ssize_t left = PyObject_Size(core->ready); left > 0; --left) {
    const PythonRef handle = PythonRef::steal(PyObject_CallNoArgs(core->popleft));
    if (!handle || !run_handle(self, handle.get())) return false;
  }
  return true;
}

PyObject* core_run_once(PyObject* self, PyObject*) noexcept {
  LoopCore* core = LoopCore::of(self);
  const Py_ssize_t timers = PyList_GET_SIZE(core->scheduled);
  if (core->waiter == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "the loop has no selector");
    return nullptr;
  }
  if (core->debug || (timers > kMinTimersToDrop && core->timer_cancelled_count > timers / 2)) {
    core->wakes = Wakes::BySocket;
    return call_stock(interned().run_once, self, nullptr, 0, nullptr);
  }
  if (!turn(self)) return nullptr;
  Py_RETURN_NONE;
}

// --- the type ---

// _watch(epoll descriptor, keys by descriptor): what the selector of the loop waits for. Once.
PyObject* core_watch(PyObject* self, PyObject* arguments) noexcept {
  LoopCore* core = LoopCore::of(self);
  PyObject* keys = nullptr;
  int epoll_fd = -1;
  if (!PyArg_ParseTuple(arguments, "iO!", &epoll_fd, &PyDict_Type, &keys)) return nullptr;
  if (core->waiter != nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "the loop has its selector already");
    return nullptr;
  }
  try {
    core->waiter = new net::EpollWaiter(epoll_fd);
  } catch (const std::system_error& error) {
    errno = error.code().value();
    return PyErr_SetFromErrno(PyExc_OSError);
  }
  core->keys = Py_NewRef(keys);
  Py_RETURN_NONE;
}

PyObject* core_get_ready(PyObject* self, void*) noexcept {
  return Py_XNewRef(LoopCore::of(self)->ready);
}

int core_set_ready(PyObject* self, PyObject* ready, void*) noexcept {
  LoopCore* core = LoopCore::of(self);
  if (ready == nullptr || PyObject_IsInstance(ready, interned().deque_type) != 1) {
    if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_TypeError, "_ready is a deque");
    return -1;
  }
  PythonRef append = PythonRef::steal(PyObject_GetAttrString(ready, "append"));
  PythonRef popleft = PythonRef::steal(PyObject_GetAttrString(ready, "popleft"));
  if (!append || !popleft) return -1;
  Py_XSETREF(core->ready, Py_NewRef(ready));
  Py_XSETREF(core->append, append.release());
  Py_XSETREF(core->popleft, popleft.release());
  return 0;
}

PyObject* core_get_scheduled(PyObject* self, void*) noexcept {
  return Py_XNewRef(LoopCore::of(self)->scheduled);
}

int core_set_scheduled(PyObject* self, PyObject* scheduled, void*) noexcept {
  if (scheduled == nullptr || !PyList_Check(scheduled)) {
    PyErr_SetString(PyExc_TypeError, "_scheduled is a list");
    return -1;
  }
  Py_XSETREF(LoopCore::of(self)->scheduled, Py_NewRef(scheduled));
  return 0;
}

PyObject* core_get_debug(PyObject* self, void*) noexcept {
  return PyBool_FromLong(LoopCore::of(self)->debug);
}

int core_set_debug(PyObject* self, PyObject* value, void*) noexcept {
  const int debug = value == nullptr ? 0 : PyObject_IsTrue(value);
  if (debug < 0) return -1;
  LoopCore::of(self)->debug = debug != 0;
  return 0;
}

PyObject* core_new(PyTypeObject* type, PyObject*, PyObject*) noexcept {
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  LoopCore* core = LoopCore::of(self);
  core->scheduled = PyList_New(0);
  const PythonRef ready = PythonRef::steal(PyObject_CallNoArgs(interned().deque_type));
  if (core->scheduled == nullptr || !ready || core_set_ready(self, ready.get(), nullptr) != 0)
    Py_CLEAR(self);
  return self;
}

int core_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  LoopCore* core = LoopCore::of(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(core->ready);
  Py_VISIT(core->append);
  Py_VISIT(core->popleft);
  Py_VISIT(core->scheduled);
  Py_VISIT(core->keys);
  Py_VISIT(core->guest);
  return 0;
}

int core_clear(PyObject* self) noexcept {
  LoopCore* core = LoopCore::of(self);
  core->closed = true;  // for whoever is freed later and still knows it
  Py_CLEAR(core->ready);
  Py_CLEAR(core->append);
  Py_CLEAR(core->popleft);
  Py_CLEAR(core->scheduled);
  Py_CLEAR(core->keys);
  Py_CLEAR(core->guest);
  return 0;
}

void core_dealloc(PyObject* self) noexcept {
  PyObject_GC_UnTrack(self);
  delete LoopCore::of(self)->waiter;
  core_clear(self);
  free_object(self);
}

PyTypeObject* core_type = nullptr;

}  // namespace

bool set_guest(PyObject* loop, int fd, PyObject* callback) {
  if (PyObject_TypeCheck(loop, core_type) == 0) return true;
  PythonRef handle = make_handle(loop, callback, nullptr, 0, nullptr);
  if (!handle) return false;
  LoopCore* core = LoopCore::of(loop);
  core->guest_fd = fd;
  Py_XSETREF(core->guest, handle.release());
  return true;
}

void clear_guest(PyObject* loop) {
  if (PyObject_TypeCheck(loop, core_type) != 0) Py_CLEAR(LoopCore::of(loop)->guest);
}

PyObject* make_loop_core_type() {
  static PyMethodDef methods[] = {
      {"call_soon", as_method(&core_call_soon), METH_FASTCALL | METH_KEYWORDS, nullptr},
      {"call_soon_threadsafe", as_method(&core_call_soon_threadsafe), METH_FASTCALL | METH_KEYWORDS,
       nullptr},
      {"time", &core_time, METH_NOARGS, nullptr},
      {"_run_once", &core_run_once, METH_NOARGS, nullptr},
      {"_watch", &core_watch, METH_VARARGS, nullptr},
      {nullptr, nullptr, 0, nullptr}};
  static PyMemberDef members[] = {
      {"_closed", T_BOOL, offsetof(LoopCore, closed), 0, nullptr},
      {"_stopping", T_BOOL, offsetof(LoopCore, stopping), 0, nullptr},
      {"_timer_cancelled_count", T_PYSSIZET, offsetof(LoopCore, timer_cancelled_count), 0, nullptr},
      {nullptr, 0, 0, 0, nullptr}};
  static PyGetSetDef properties[] = {
      {"_ready", &core_get_ready, &core_set_ready, nullptr, nullptr},
      {"_scheduled", &core_get_scheduled, &core_set_scheduled, nullptr, nullptr},
      {"_debug", &core_get_debug, &core_set_debug, nullptr, nullptr},
      {nullptr, nullptr, nullptr, nullptr, nullptr}};
  static PyType_Slot slots[] = {{Py_tp_new, as_slot(&core_new)},
                                {Py_tp_dealloc, as_slot(&core_dealloc)},
                                {Py_tp_traverse, as_slot(&core_traverse)},
                                {Py_tp_clear, as_slot(&core_clear)},
                                {Py_tp_methods, methods},
                                {Py_tp_members, members},
                                {Py_tp_getset, properties},
                                {0, nullptr}};
  static PyType_Spec spec = {"cppasgi._native.LoopCore", sizeof(LoopCore), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
  core_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return Py_XNewRef(reinterpret_cast<PyObject*>(core_type));
}

}  // namespace cppasgi::bridge
