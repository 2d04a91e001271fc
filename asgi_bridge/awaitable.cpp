#include "asgi_bridge/awaitable.h"

#include <array>
#include <cstdint>
#include <utility>

#include "asgi_bridge/interned.h"
#include "asgi_bridge/interpreter_end.h"
#include "asgi_bridge/nesting.h"
#include "asgi_bridge/python_types.h"

namespace cppasgi::bridge {

// A coroutine that yields itself, and at the same time the future that it yields. asyncio's Task
// takes it for a future because the object has the attribute _asyncio_future_blocking. The class
// doesn't have it, so ensure_future() takes it for a coroutine.
class Waiter {
 public:
  PyObject_HEAD
  enum class State : std::uint8_t { Pending, Done, Cancelled, Spent };

  PyObject* as_object() { return reinterpret_cast<PyObject*>(this); }
  static Waiter* of(PyObject* object) { return reinterpret_cast<Waiter*>(object); }

  void unlink() {
    if (list == nullptr) return;
    (previous == nullptr ? list->first_ : previous->next) = next;
    (next == nullptr ? list->last_ : next->previous) = previous;
    list = nullptr;
    Py_DECREF(as_object());
  }

  // Steps the waiting task, if there is one already. The wake-up of the Task in C asks its argument
  // only whether the task may go on, and is fastest with a future in C; it gets the value or the
  // exception by the next step.
  bool wake() {
    if (callback == nullptr) return true;
    if (loops_nest()) return wake_soon();
    const PythonRef function = PythonRef::steal(std::exchange(callback, nullptr));
    const PythonRef task_context = PythonRef::steal(std::exchange(context, nullptr));
    PyObject* argument = PyCFunction_Check(function.get()) ? finished : as_object();
    return static_cast<bool>(call_in_context(task_context.get(), [&] {
      return PythonRef::steal(PyObject_CallOneArg(function.get(), argument));
    }));
  }

  // Has the loop step the waiting task.
  bool wake_soon() {
    const PythonRef function = PythonRef::steal(std::exchange(callback, nullptr));
    const PythonRef task_context = PythonRef::steal(std::exchange(context, nullptr));
    const std::array<PyObject*, 4> arguments{loop, function.get(), as_object(), task_context.get()};
    return static_cast<bool>(PythonRef::steal(PyObject_VectorcallMethod(
        interned().call_soon, arguments.data(), 3, interned().context_names)));
  }

  WaiterList* list;
  Waiter* previous;
  Waiter* next;
  PyObject* loop;
  PyObject* finished;  // WaitLoop's
  PyObject* callback;  // the task's wake-up
  PyObject* context;   // to run it in
  PyObject* value;     // result, the exception's type when rejected, the message when cancelled
  const char* reject_text;
  State state;
  bool blocking;  // asyncio's _asyncio_future_blocking
};

namespace {

PyTypeObject* waiter_type = nullptr;

// The message says who cancelled: anyio's scopes recognize their own cancellations by it.
void set_cancellation(Waiter* waiter) {
  if (waiter->value == nullptr) {
    PyErr_SetNone(interned().cancelled_error);
    return;
  }
  const PythonRef error =
      PythonRef::steal(PyObject_CallOneArg(interned().cancelled_error, waiter->value));
  if (error) PyErr_SetObject(interned().cancelled_error, error.get());
}

void set_rejection(Waiter* waiter) { PyErr_SetString(waiter->value, waiter->reject_text); }

PySendResult waiter_send(PyObject* self, PyObject*, PyObject** result) noexcept {
  Waiter* waiter = Waiter::of(self);
  *result = nullptr;
  switch (waiter->state) {
    case Waiter::State::Pending:
      waiter->blocking = true;
      *result = Py_NewRef(self);
      return PYGEN_NEXT;
    case Waiter::State::Cancelled:
      set_cancellation(waiter);
      return PYGEN_ERROR;
    case Waiter::State::Spent:
      return raise_reused();
    case Waiter::State::Done:
      break;
  }
  waiter->state = Waiter::State::Spent;
  if (waiter->reject_text != nullptr) {
    set_rejection(waiter);
    return PYGEN_ERROR;
  }
  *result = waiter->value != nullptr ? std::exchange(waiter->value, nullptr) : Py_NewRef(Py_None);
  return PYGEN_RETURN;
}

int waiter_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Waiter* waiter = Waiter::of(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(waiter->callback);
  Py_VISIT(waiter->context);
  Py_VISIT(waiter->value);
  Py_VISIT(waiter->loop);
  Py_VISIT(waiter->finished);
  return 0;
}

int waiter_clear(PyObject* self) noexcept {
  hold_at_interpreter_end();
  Waiter* waiter = Waiter::of(self);
  Py_CLEAR(waiter->callback);
  Py_CLEAR(waiter->context);
  Py_CLEAR(waiter->value);
  Py_CLEAR(waiter->loop);
  Py_CLEAR(waiter->finished);
  return 0;
}

// A waiter that is freed isn't in a list, since a list owns its waiters.
void waiter_dealloc(PyObject* self) noexcept {
  hold_at_interpreter_end();
  PyObject_GC_UnTrack(self);
  waiter_clear(self);
  free_object(self);
}

void cancel_waiter(Waiter* waiter) {
  waiter->state = Waiter::State::Cancelled;
  waiter->unlink();
}

// throw() and close() end the wait, since nobody awaits it any more.
void waiter_abandon(PyObject* self) noexcept {
  Waiter* waiter = Waiter::of(self);
  if (waiter->state == Waiter::State::Pending) cancel_waiter(waiter);
}

PyObject* waiter_add_done_callback(PyObject* self, PyObject* const* args, Py_ssize_t count,
                                   PyObject* keywords) noexcept {
  Waiter* waiter = Waiter::of(self);
  if (count != 1) {
    PyErr_SetString(PyExc_TypeError, "add_done_callback() takes one callback");
    return nullptr;
  }
  if (waiter->callback != nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "this receive() or send() is awaited already");
    return nullptr;
  }
  const bool has_context =
      keywords != nullptr && PyTuple_GET_SIZE(keywords) == 1 && args[1] != Py_None;
  PyObject* context = has_context ? Py_NewRef(args[1]) : PyContext_CopyCurrent();
  if (context == nullptr) return nullptr;
  waiter->callback = Py_NewRef(args[0]);
  waiter->context = context;
  Py_RETURN_NONE;
}

// cancel(msg=None)
PyObject* waiter_cancel(PyObject* self, PyObject* const* args, Py_ssize_t count,
                        PyObject* keywords) noexcept {
  hold_at_interpreter_end();
  Waiter* waiter = Waiter::of(self);
  if (waiter->state != Waiter::State::Pending) Py_RETURN_FALSE;
  const PythonRef keep = PythonRef::share(self);
  cancel_waiter(waiter);
  const bool has_message = count == 1 || (keywords != nullptr && PyTuple_GET_SIZE(keywords) == 1);
  if (has_message && args[0] != Py_None) waiter->value = Py_NewRef(args[0]);
  // The task isn't stepped here because cancel() is called inside other tasks.
  if (waiter->callback != nullptr && !waiter->wake_soon()) return nullptr;
  Py_RETURN_TRUE;
}

PyObject* waiter_result(PyObject* self, PyObject*) noexcept {
  Waiter* waiter = Waiter::of(self);
  if (waiter->state == Waiter::State::Cancelled) {
    set_cancellation(waiter);
    return nullptr;
  }
  if (waiter->state == Waiter::State::Pending) {
    PyErr_SetString(PyExc_RuntimeError, "the result is not there yet");
    return nullptr;
  }
  Py_RETURN_NONE;  // see wake()
}

PyObject* waiter_get_loop(PyObject* self, PyObject*) noexcept {
  PyObject* loop = Waiter::of(self)->loop;
  return Py_NewRef(loop != nullptr ? loop : Py_None);  // null when it was garbage
}

// All other attributes differ in length, so that hardly any name is compared.
bool is_future_blocking(PyObject* name) {
  PyObject* wanted = interned().future_blocking;
  return name == wanted || (PyUnicode_GET_LENGTH(name) == PyUnicode_GET_LENGTH(wanted) &&
                            PyUnicode_Compare(name, wanted) == 0);
}

PyObject* waiter_getattro(PyObject* self, PyObject* name) noexcept {
  if (is_future_blocking(name)) return PyBool_FromLong(Waiter::of(self)->blocking);
  return PyObject_GenericGetAttr(self, name);
}

int waiter_setattro(PyObject* self, PyObject* name, PyObject* value) noexcept {
  if (value == nullptr || !is_future_blocking(name))
    return PyObject_GenericSetAttr(self, name, value);
  Waiter::of(self)->blocking = value == Py_True;
  return 0;
}

}  // namespace

bool WaitLoop::init() {
  finished = PythonRef::steal(PyObject_CallMethodNoArgs(loop.get(), interned().create_future));
  if (!finished) return false;
  return static_cast<bool>(
      PythonRef::steal(PyObject_CallMethodOneArg(finished.get(), interned().set_result, Py_None)));
}

PyObject* WaiterList::wait(const WaitLoop& loop) {
  auto* waiter = PyObject_GC_New(Waiter, waiter_type);
  if (waiter == nullptr) return nullptr;
  waiter->list = this;
  waiter->previous = last_;
  waiter->next = nullptr;
  waiter->loop = Py_XNewRef(loop.loop.get());  // null when the server was garbage
  waiter->finished = Py_XNewRef(loop.finished.get());
  waiter->callback = nullptr;
  waiter->context = nullptr;
  waiter->value = nullptr;
  waiter->reject_text = nullptr;
  waiter->state = Waiter::State::Pending;
  waiter->blocking = false;
  (last_ == nullptr ? first_ : last_->next) = waiter;
  last_ = waiter;
  PyObject_GC_Track(waiter->as_object());
  return Py_NewRef(waiter->as_object());  // one for the list, one for the caller
}

bool WaiterList::resolve_first(PythonRef value) {
  Waiter* waiter = first_;
  const PythonRef keep = PythonRef::share(waiter->as_object());
  waiter->unlink();
  waiter->state = Waiter::State::Done;
  waiter->value = value.release();
  return waiter->wake();
}

bool WaiterList::reject_first(PyObject* type, const char* text) {
  Waiter* waiter = first_;
  const PythonRef keep = PythonRef::share(waiter->as_object());
  waiter->unlink();
  waiter->state = Waiter::State::Done;
  waiter->value = Py_NewRef(type);
  waiter->reject_text = text;
  return waiter->wake();
}

PyObject* WaiterList::first_task() const {
  if (first_ == nullptr || first_->callback == nullptr) return nullptr;
  PyObject* wake_up = first_->callback;  // bound to the task that waits
  if (PyCFunction_Check(wake_up)) return PyCFunction_GET_SELF(wake_up);
  return PyMethod_Check(wake_up) ? PyMethod_Self(wake_up) : nullptr;
}

int WaiterList::traverse(visitproc visit, void* arg) const {
  for (Waiter* waiter = first_; waiter != nullptr; waiter = waiter->next)
    Py_VISIT(waiter->as_object());
  return 0;
}

void WaiterList::clear() {
  while (first_ != nullptr) first_->unlink();
}

int init_waiters() {
  static PyMethodDef waiter_methods[] = {
      {"add_done_callback", as_method(&waiter_add_done_callback), METH_FASTCALL | METH_KEYWORDS,
       nullptr},
      {"cancel", as_method(&waiter_cancel), METH_FASTCALL | METH_KEYWORDS, nullptr},
      {"result", &waiter_result, METH_NOARGS, nullptr},
      {"get_loop", &waiter_get_loop, METH_NOARGS, nullptr},
      CPPASGI_COROUTINE_METHODS(&waiter_send, &waiter_abandon),
      {nullptr, nullptr, 0, nullptr}};
  static PyType_Slot waiter_slots[] = {
      {Py_tp_dealloc, as_slot(&waiter_dealloc)},   {Py_tp_traverse, as_slot(&waiter_traverse)},
      {Py_tp_clear, as_slot(&waiter_clear)},       {Py_tp_getattro, as_slot(&waiter_getattro)},
      {Py_tp_setattro, as_slot(&waiter_setattro)}, {Py_tp_methods, waiter_methods},
      CPPASGI_COROUTINE_SLOTS(&waiter_send),       {0, nullptr}};
  static PyType_Spec waiter_spec = {"cppasgi._native.Waiter", sizeof(Waiter), 0, kCollectedType,
                                    waiter_slots};
  waiter_type = make_coroutine_type(waiter_spec);
  return waiter_type == nullptr ? -1 : 0;
}

}  // namespace cppasgi::bridge
