#include "asgi_bridge/application_call.h"

#include <structmember.h>

#include <cstddef>

#include "asgi_bridge/awaitable.h"
#include "asgi_bridge/cycle.h"
#include "asgi_bridge/interned.h"
#include "asgi_bridge/interpreter_end.h"
#include "asgi_bridge/loop_bridge.h"
#include "asgi_bridge/python_types.h"

namespace cppasgi::bridge {

namespace {

// --- AsgiCallable: receive or send, as the application gets them. The garbage collector can't
// clear them: whatever refers to them through their cycle is cleared there. ---

struct AsgiCallable {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  Cycle* cycle;  // counted
};

PyTypeObject* receive_type = nullptr;
PyTypeObject* send_type = nullptr;

// Returns what `call` returns. An exception of it is raised by the await and not by the call, as
// with a coroutine function.
template <typename Call>
PyObject* call_cycle(PyObject* self, Call&& call) {
  Cycle& cycle = *reinterpret_cast<AsgiCallable*>(self)->cycle;
  const LoopBridge::Quiet quiet(cycle.loop_bridge());
  PyObject* awaitable = call(cycle);
  return awaitable != nullptr ? awaitable : raising();
}

PyObject* call_receive(PyObject* self, PyObject* const*, std::size_t count,
                       PyObject* keywords) noexcept {
  hold_at_interpreter_end();
  if (PyVectorcall_NARGS(count) != 0 || keywords != nullptr) {
    PyErr_SetString(PyExc_TypeError, "receive() takes no arguments");
    return nullptr;
  }
  return call_cycle(self, [](Cycle& cycle) { return cycle.receive(); });
}

PyObject* call_send(PyObject* self, PyObject* const* arguments, std::size_t count,
                    PyObject* keywords) noexcept {
  hold_at_interpreter_end();
  const bool by_name =
      keywords != nullptr && PyTuple_GET_SIZE(keywords) == 1 && PyVectorcall_NARGS(count) == 0;
  if (!by_name && (PyVectorcall_NARGS(count) != 1 || keywords != nullptr)) {
    PyErr_SetString(PyExc_TypeError, "send() takes one message");
    return nullptr;
  }
  return call_cycle(self, [&](Cycle& cycle) { return cycle.send(arguments[0]); });
}

PyObject* make_asgi_callable(PyTypeObject* type, vectorcallfunc function, Cycle* cycle) {
  auto* callable = PyObject_GC_New(AsgiCallable, type);
  if (callable == nullptr) return nullptr;
  callable->vectorcall = function;
  callable->cycle = cycle;
  cycle->add_reference();
  auto* object = reinterpret_cast<PyObject*>(callable);
  PyObject_GC_Track(object);
  return object;
}

int asgi_callable_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(reinterpret_cast<AsgiCallable*>(self)->cycle->owner());
  return 0;
}

void asgi_callable_dealloc(PyObject* self) noexcept {
  hold_at_interpreter_end();
  PyObject_GC_UnTrack(self);
  reinterpret_cast<AsgiCallable*>(self)->cycle->drop_reference();
  free_object(self);
}

// --- ApplicationCall: the coroutine that the task steps. It sees the application's end without a
// done-callback. ---

struct ApplicationCall {
  PyObject_HEAD
  Cycle* cycle;         // owned
  PyObject* coroutine;  // the application's; null before the first step and after the last
  bool over;
  bool stepped;  // a step, a throw or a close is under way
};

PyTypeObject* application_call_type = nullptr;

// While one lives, nobody else steps the call, and neither the call nor its coroutine is freed.
class Step {
 public:
  explicit Step(ApplicationCall* call)
      : call_(call), kept_(PythonRef::share(reinterpret_cast<PyObject*>(call))) {
    call_->stepped = true;
  }
  ~Step() { call_->stepped = false; }
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

 private:
  ApplicationCall* call_;
  PythonRef kept_;
};

// Whether the call is being stepped; then ValueError is set, as a coroutine does. An application
// may step the coroutine of its own task, and so may other tasks and threads.
bool is_stepped(const ApplicationCall* call) {
  if (call->stepped) PyErr_SetString(PyExc_ValueError, "application call already executing");
  return call->stepped;
}

// Ends the call after an exception of the application's; the task sees it only if the cycle doesn't
// deal with it.
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
  hold_at_interpreter_end();
  auto* call = reinterpret_cast<ApplicationCall*>(self);
  *result = nullptr;
  if (is_stepped(call)) return PYGEN_ERROR;
  if (call->over) {
    PyErr_SetString(PyExc_RuntimeError, "cannot reuse an application call that has ended");
    return PYGEN_ERROR;
  }
  const Step step(call);
  // The application is called here, not when the task is made, so that all of it runs in the task's
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

// Returns a method, or null without an exception if the object, as some iterators, doesn't have it.
PythonRef find_method(PyObject* object, PyObject* name) {
  PythonRef method = PythonRef::steal(PyObject_GetAttr(object, name));
  if (!method && PyErr_ExceptionMatches(PyExc_AttributeError)) PyErr_Clear();
  return method;
}

// throw(), by which asyncio cancels. The application may catch the exception and go on.
PyObject* application_call_throw(PyObject* self, PyObject* const* arguments,
                                 Py_ssize_t count) noexcept {
  hold_at_interpreter_end();
  auto* call = reinterpret_cast<ApplicationCall*>(self);
  if (is_stepped(call)) return nullptr;
  if (call->over) return raise_thrown(arguments, count);
  const Step step(call);
  PythonRef method;
  if (call->coroutine != nullptr) method = find_method(call->coroutine, interned().throw_);
  PyObject* result = nullptr;
  if (method) {
    result = PyObject_Vectorcall(method.get(), arguments, static_cast<std::size_t>(count), nullptr);
  } else if (PyErr_Occurred() == nullptr) {
    raise_thrown(arguments, count);
  }
  if (result != nullptr) return result;
  PySendResult outcome;
  if (method && PyErr_ExceptionMatches(PyExc_StopIteration)) {
    PyErr_Clear();
    outcome = end_returned(call, &result);
  } else {
    outcome = end_raised(call, &result);
  }
  if (outcome == PYGEN_RETURN) set_stop_iteration(result);
  return nullptr;
}

// close() ends the call, as if the application had let GeneratorExit pass.
PyObject* application_call_close(PyObject* self, PyObject*) noexcept {
  hold_at_interpreter_end();
  auto* call = reinterpret_cast<ApplicationCall*>(self);
  if (is_stepped(call)) return nullptr;
  if (call->over) Py_RETURN_NONE;
  const Step step(call);
  PythonRef method;
  if (call->coroutine != nullptr) method = find_method(call->coroutine, interned().close);
  if (method) PythonRef::steal(PyObject_CallNoArgs(method.get()));
  const bool is_closed = PyErr_Occurred() == nullptr;
  if (is_closed) PyErr_SetNone(PyExc_GeneratorExit);
  PyObject* result = nullptr;
  if (end_raised(call, &result) == PYGEN_RETURN) return result;
  if (!is_closed) return nullptr;
  PyErr_Clear();
  Py_RETURN_NONE;
}

// Attributes such as cr_frame, cr_await and __qualname__ are those of the application's coroutine:
// debuggers and asyncio's repr() read them.
PyObject* application_call_getattro(PyObject* self, PyObject* name) noexcept {
  PyObject* own = PyObject_GenericGetAttr(self, name);
  if (own != nullptr || !PyErr_ExceptionMatches(PyExc_AttributeError)) return own;
  const PythonRef coroutine = PythonRef::share(reinterpret_cast<ApplicationCall*>(self)->coroutine);
  if (!coroutine) return nullptr;
  PyErr_Clear();
  return PyObject_GetAttr(coroutine.get(), name);
}

int application_call_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  auto* call = reinterpret_cast<ApplicationCall*>(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(call->coroutine);
  return call->cycle->traverse(visit, arg);
}

int application_call_clear(PyObject* self) noexcept {
  hold_at_interpreter_end();
  auto* call = reinterpret_cast<ApplicationCall*>(self);
  call->over = true;
  Py_CLEAR(call->coroutine);
  call->cycle->clear();
  return 0;
}

// The cycle is deleted first: freeing the rest may run Python, and the core must not call the cycle
// then.
void application_call_dealloc(PyObject* self) noexcept {
  hold_at_interpreter_end();
  PyObject_GC_UnTrack(self);
  auto* call = reinterpret_cast<ApplicationCall*>(self);
  const PythonRef coroutine = PythonRef::steal(call->coroutine);
  delete call->cycle;
  free_object(self);
}

PyTypeObject* make_asgi_callable_type(PyType_Spec& spec) {
  PythonRef type = PythonRef::steal(PyType_FromSpec(&spec));
  if (!type) return nullptr;
  // inspect and asgiref must take them for coroutine functions, which the closures of other servers
  // are.
  const PythonRef coroutines = PythonRef::steal(PyImport_ImportModule("asyncio.coroutines"));
  const PythonRef inspect = PythonRef::steal(PyImport_ImportModule("inspect"));
  if (!coroutines || !inspect) return nullptr;
  // asyncio.iscoroutinefunction() looks for this mark, in the versions of Python that have it.
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

}  // namespace

PyObject* make_receive(Cycle& cycle) {
  return make_asgi_callable(receive_type, &call_receive, &cycle);
}

PyObject* make_send(Cycle& cycle) { return make_asgi_callable(send_type, &call_send, &cycle); }

PyObject* make_application_call(Cycle& cycle) {
  auto* call = PyObject_GC_New(ApplicationCall, application_call_type);
  if (call == nullptr) return nullptr;
  call->cycle = &cycle;
  call->coroutine = nullptr;
  call->over = call->stepped = false;
  auto* object = reinterpret_cast<PyObject*>(call);
  cycle.become_owned_by(object);
  PyObject_GC_Track(object);
  return object;
}

int init_application_calls() {
  static PyMemberDef asgi_callable_members[] = {
      {"__vectorcalloffset__", T_PYSSIZET, offsetof(AsgiCallable, vectorcall), READONLY, nullptr},
      {nullptr, 0, 0, 0, nullptr}};
  static PyType_Slot asgi_callable_slots[] = {{Py_tp_dealloc, as_slot(&asgi_callable_dealloc)},
                                              {Py_tp_traverse, as_slot(&asgi_callable_traverse)},
                                              {Py_tp_call, as_slot(&PyVectorcall_Call)},
                                              {Py_tp_members, asgi_callable_members},
                                              {0, nullptr}};
  constexpr unsigned kCallableFlags = kCollectedType | Py_TPFLAGS_HAVE_VECTORCALL;
  static PyType_Spec receive_spec = {"cppasgi._native.Receive", sizeof(AsgiCallable), 0,
                                     kCallableFlags, asgi_callable_slots};
  static PyType_Spec send_spec = {"cppasgi._native.Send", sizeof(AsgiCallable), 0, kCallableFlags,
                                  asgi_callable_slots};
  static PyMethodDef call_methods[] = {
      {"send", &send_by<&application_call_send>, METH_O, nullptr},
      {"throw", as_method(&application_call_throw), METH_FASTCALL, nullptr},
      {"close", &application_call_close, METH_NOARGS, nullptr},
      {nullptr, nullptr, 0, nullptr}};
  static PyType_Slot call_slots[] = {{Py_tp_dealloc, as_slot(&application_call_dealloc)},
                                     {Py_tp_traverse, as_slot(&application_call_traverse)},
                                     {Py_tp_clear, as_slot(&application_call_clear)},
                                     {Py_tp_getattro, as_slot(&application_call_getattro)},
                                     {Py_tp_methods, call_methods},
                                     CPPASGI_COROUTINE_SLOTS(&application_call_send),
                                     {0, nullptr}};
  static PyType_Spec call_spec = {"cppasgi._native.ApplicationCall", sizeof(ApplicationCall), 0,
                                  kCollectedType, call_slots};
  if ((receive_type = make_asgi_callable_type(receive_spec)) == nullptr) return -1;
  if ((send_type = make_asgi_callable_type(send_spec)) == nullptr) return -1;
  if ((application_call_type = make_coroutine_type(call_spec)) == nullptr) return -1;
  return 0;
}

}  // namespace cppasgi::bridge
