#include "asgi_bridge/client_disconnect.h"

#include <string_view>
#include <utility>

#include "asgi_bridge/awaitable.h"
#include "asgi_bridge/cycle.h"
#include "asgi_bridge/interned.h"
#include "asgi_bridge/interpreter_end.h"
#include "asgi_bridge/python_types.h"

namespace cppasgi::bridge {

namespace {

struct Notice {
  PyObject_HEAD
  Cycle* cycle;       // counted
  PyObject* message;  // that receive() gives; null for a send(), and once it was given. Its own
  bool receives;
  bool yields;  // to the loop before it completes
  bool over;
};

PyTypeObject* notice_type = nullptr;

PySendResult notice_send(PyObject* self, PyObject*, PyObject** result) noexcept {
  hold_at_interpreter_end();
  auto* notice = reinterpret_cast<Notice*>(self);
  *result = nullptr;
  if (notice->over) {
    return raise_reused();
  }
  if (notice->receives) notice->cycle->note_listener();
  if (std::exchange(notice->yields, false)) {
    *result = Py_NewRef(Py_None);
    return PYGEN_NEXT;
  }
  notice->over = true;
  *result =
      notice->receives ? std::exchange(notice->message, nullptr) : notice->cycle->sent_too_late();
  return *result == nullptr ? PYGEN_ERROR : PYGEN_RETURN;
}

void notice_abandon(PyObject* self) noexcept { reinterpret_cast<Notice*>(self)->over = true; }

int notice_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  auto* notice = reinterpret_cast<Notice*>(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(notice->message);
  Py_VISIT(notice->cycle->owner());
  return 0;
}

void notice_dealloc(PyObject* self) noexcept {
  hold_at_interpreter_end();
  PyObject_GC_UnTrack(self);
  auto* notice = reinterpret_cast<Notice*>(self);
  Py_CLEAR(notice->message);
  notice->cycle->drop_reference();
  free_object(self);
}

bool is_client_disconnected_at(PyObject* exception, int depth) {
  constexpr int kDeepest = 8;
  if (PyErr_GivenExceptionMatches(exception, interned().client_disconnected) != 0) return true;
  if (depth == kDeepest) return false;
  if (PyErr_GivenExceptionMatches(exception, interned().exception_group) != 0) {
    const PythonRef parts = PythonRef::steal(PyObject_GetAttr(exception, interned().exceptions));
    if (!parts || !PyTuple_Check(parts.get())) {
      PyErr_Clear();
      return false;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(parts.get()); ++i) {
      if (!is_client_disconnected_at(PyTuple_GET_ITEM(parts.get(), i), depth + 1)) return false;
    }
    return true;
  }
  const std::string_view name = Py_TYPE(exception)->tp_name;
  if (name.find("Disconnect") == std::string_view::npos) return false;
  const PythonRef context = PythonRef::steal(PyException_GetContext(exception));
  return context && is_client_disconnected_at(context.get(), depth + 1);
}

}  // namespace

PyObject* raise_client_disconnected() {
  PyErr_SetString(interned().client_disconnected, kClientLeft);
  return nullptr;
}

bool is_client_disconnected(PyObject* exception) { return is_client_disconnected_at(exception, 0); }

PyObject* make_notice(Cycle& cycle, PyObject* message, Yields yields) {
  auto* notice = PyObject_GC_New(Notice, notice_type);
  if (notice == nullptr) {
    Py_XDECREF(message);
    return nullptr;
  }
  notice->cycle = &cycle;
  notice->message = message;
  notice->receives = message != nullptr;
  notice->yields = yields == Yields::Yes;
  notice->over = false;
  cycle.add_reference();
  auto* object = reinterpret_cast<PyObject*>(notice);
  PyObject_GC_Track(object);
  return object;
}

int init_client_disconnect() {
  static PyMethodDef notice_methods[] = {CPPASGI_COROUTINE_METHODS(&notice_send, &notice_abandon),
                                         {nullptr, nullptr, 0, nullptr}};
  static PyType_Slot notice_slots[] = {{Py_tp_dealloc, as_slot(&notice_dealloc)},
                                       {Py_tp_traverse, as_slot(&notice_traverse)},
                                       {Py_tp_methods, notice_methods},
                                       CPPASGI_COROUTINE_SLOTS(&notice_send),
                                       {0, nullptr}};
  static PyType_Spec notice_spec = {"cppasgi._native.Notice", sizeof(Notice), 0, kCollectedType,
                                    notice_slots};
  notice_type = make_coroutine_type(notice_spec);
  return notice_type == nullptr ? -1 : 0;
}

}  // namespace cppasgi::bridge
