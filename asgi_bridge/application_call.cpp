#include "asgi_bridge/application_call.h"

#include <structmember.h>

#include <cstddef>

#include "asgi_bridge/awaitable.h"
#include "asgi_bridge/cycle.h"
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

}  // namespace

PyObject* make_receive(Cycle& cycle) { return make_channel(receive_type, &call_receive, &cycle); }

PyObject* make_send(Cycle& cycle) { return make_channel(send_type, &call_send, &cycle); }

PyObject* make_application_call(Cycle& cycle) {
  auto* call = PyObject_New(ApplicationCall, application_call_type);
  if (call == nullptr) return nullptr;
  call->cycle = &cycle;
  call->coroutine = nullptr;
  call->over = false;
  cycle.add_reference();
  return reinterpret_cast<PyObject*>(call);
}

int init_application_calls() {
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

}  // namespace cppasgi::bridge
