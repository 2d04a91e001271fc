#include "asgi_bridge/loop_turn.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <utility>

#include "asgi_bridge/interned.h"
#include "asgi_bridge/loop_handle.h"
#include "asgi_bridge/python_ref.h"

namespace cppasgi::bridge {

double monotonic_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Here and everywhere in a turn, an object that Python code may replace is kept while it is used.
bool add_ready(LoopCore* core, PyObject* handle) {
  const PythonRef append = PythonRef::share(core->append);
  if (!append) {  // it was garbage
    PyErr_SetString(PyExc_RuntimeError, "Event loop is closed");
    return false;
  }
  return static_cast<bool>(PythonRef::steal(PyObject_CallOneArg(append.get(), handle)));
}

namespace {

constexpr double kLongestWait = 24 * 3600;  // seconds, as asyncio's
constexpr double kClockResolution = 1e-9;   // of a steady clock, in seconds

// --- timers ---

// Removes the first timer from the heap and returns it. Null with an exception.
PythonRef pop_timer(LoopCore* core) {
  const PythonRef scheduled = PythonRef::share(core->scheduled);
  PythonRef first = PythonRef::steal(PyObject_CallOneArg(interned().heappop, scheduled.get()));
  if (!first || PyObject_SetAttr(first.get(), interned().scheduled, Py_False) != 0) return {};
  return first;
}

// Returns when the first timer that isn't cancelled is due: infinity if there is none, NaN with an
// exception. Drops the cancelled timers before it.
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

// Makes the timers ready that are due; the first one is due at `due`. Returns false with an
// exception.
bool move_due_timers(LoopCore* core, double due) {
  if (std::isinf(due)) return true;
  const double end = monotonic_seconds() + kClockResolution;
  while (due < end) {
    due = next_due(core);
    if (std::isnan(due)) return false;
    if (due >= end) break;
    const PythonRef first = pop_timer(core);
    if (!first || !add_ready(core, first.get())) return false;
  }
  return true;
}

// --- waiting ---

// Makes the reader or writer of a watched descriptor ready. Returns false with an exception.
bool add_watcher(PyObject* self, PyObject* handle, PyObject* fileobj, PyObject* remove) {
  if (handle == Py_None) return true;
  const int cancelled = handle_cancelled(handle);
  if (cancelled < 0) return false;
  if (cancelled == 0) return add_ready(LoopCore::of(self), handle);
  return static_cast<bool>(PythonRef::steal(PyObject_CallMethodOneArg(self, remove, fileobj)));
}

// Does for one event what selectors.EpollSelector.select() and asyncio's _process_events() do.
// Returns false with an exception.
bool add_event(PyObject* self, const net::EpollWaiter::Event& event) {
  constexpr long kRead = 1, kWrite = 2;  // selectors.EVENT_READ, EVENT_WRITE
  LoopCore* core = LoopCore::of(self);
  if (event.fd == core->poller_fd && core->poller != nullptr) {
    core->poller_ready = true;
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
  const PythonRef kept_reader = PythonRef::share(reader);
  const PythonRef kept_writer = PythonRef::share(writer);
  const bool reads = event.readable && (wanted & kRead) != 0;
  const bool writes = event.writable && (wanted & kWrite) != 0;
  return (!reads || add_watcher(self, reader, fileobj, interned().internal_remove_reader)) &&
         (!writes || add_watcher(self, writer, fileobj, interned().internal_remove_writer));
}

// Waits up to `timeout` milliseconds, or without end for -1, and makes the callbacks of the events
// ready. Returns false with an exception.
bool wait(PyObject* self, int timeout) {
  LoopCore* core = LoopCore::of(self);
  int count = 0;
  // While other threads work for the application, the GIL is released only if there is nothing to
  // do: each release may cost two switches of threads.
  if (timeout == 0 || core->called_from_thread) count = core->waiter->wait(0);
  if (count == 0 && timeout != 0) {
    core->called_from_thread = false;
    core->wakes = Wakes::ByEvent;
    core->waiting = true;
    Py_BEGIN_ALLOW_THREADS;
    count = core->waiter->wait(timeout);
    Py_END_ALLOW_THREADS;
    core->waiting = false;
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

// Returns how many callbacks are ready, or -1 with an exception.
Py_ssize_t count_ready(const LoopCore* core) {
  const PythonRef ready = PythonRef::share(core->ready);
  return PyObject_Size(ready.get());
}

// Returns how many milliseconds to wait, -1 for without end, or less with an exception. `due` is
// when the first timer is due.
int timeout_of(LoopCore* core, double due) {
  constexpr int kFailed = -2;
  const Py_ssize_t ready = count_ready(core);
  if (ready < 0) return kFailed;
  if (ready > 0 || core->stopping) return 0;
  if (std::isinf(due)) return -1;
  const double seconds = std::clamp(due - monotonic_seconds(), 0.0, kLongestWait);
  return static_cast<int>(std::ceil(seconds * 1000.0));
}

}  // namespace

bool run_turn(PyObject* self) {
  LoopCore* core = LoopCore::of(self);
  core->wakes = Wakes::NotNeeded;
  core->thread = PyThread_get_thread_ident();
  const double due = next_due(core);
  if (std::isnan(due)) return false;
  const int timeout = timeout_of(core, due);
  if (timeout < -1 || !wait(self, timeout) || !move_due_timers(core, due)) return false;
  if (std::exchange(core->poller_ready, false)) {
    const PythonRef poller = PythonRef::share(core->poller);
    if (poller && !run_handle(self, poller.get())) return false;
  }
  // Callbacks that these add run in the next turn. A callback may run all others itself
  // (nest_asyncio).
  for (Py_ssize_t left = count_ready(core); left > 0; --left) {
    const PythonRef popleft = PythonRef::share(core->popleft);
    const PythonRef handle = PythonRef::steal(PyObject_CallNoArgs(popleft.get()));
    if (!handle && PyErr_ExceptionMatches(PyExc_IndexError)) {
      PyErr_Clear();
      return true;
    }
    if (!handle || !run_handle(self, handle.get())) return false;
  }
  return true;
}

}  // namespace cppasgi::bridge
