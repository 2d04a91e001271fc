#include "asgi_bridge/interned.h"

#include "asgi_bridge/python_ref.h"

namespace cppasgi::bridge {

namespace {

Interned objects{};
bool ready = false;

PyObject* attribute_of(const char* module_name, const char* attribute) {
  const PythonRef module = PythonRef::steal(PyImport_ImportModule(module_name));
  return module ? PyObject_GetAttrString(module.get(), attribute) : nullptr;
}

}  // namespace

const Interned& interned() { return objects; }

int init_interned() {
  if (ready) return 0;
#define CPPASGI_MAKE(name, text) \
  if ((objects.name = PyUnicode_InternFromString(text)) == nullptr) return -1;
  CPPASGI_INTERNED_STRINGS(CPPASGI_MAKE)
#undef CPPASGI_MAKE
  if ((objects.empty_bytes = PyBytes_FromStringAndSize("", 0)) == nullptr) return -1;
  if ((objects.context_names = PyTuple_Pack(1, objects.context)) == nullptr) return -1;
  if ((objects.asyncio_names = attribute_of("asyncio", "__dict__")) == nullptr) return -1;
  if ((objects.cancelled_error = attribute_of("asyncio", "CancelledError")) == nullptr) return -1;
  if ((objects.current_task = attribute_of("asyncio", "current_task")) == nullptr) return -1;
#if PY_VERSION_HEX >= 0x030B0000
  objects.exception_group = PyExc_BaseExceptionGroup;
#else
  if ((objects.exception_group = PyTuple_New(0)) == nullptr) return -1;
#endif
  if ((objects.task_type = attribute_of("asyncio", "Task")) == nullptr) return -1;
  if ((objects.base_event_loop = attribute_of("asyncio", "BaseEventLoop")) == nullptr) return -1;
  if ((objects.deque_type = attribute_of("collections", "deque")) == nullptr) return -1;
  if ((objects.heappop = attribute_of("heapq", "heappop")) == nullptr) return -1;
  objects.client_disconnected = PyErr_NewExceptionWithDoc(
      "cppasgi.ClientDisconnected",
      "Raised by ``send()`` once the client has left (ASGI HTTP 2.4, WebSocket 2.4).",
      PyExc_ConnectionError, nullptr);
  if (objects.client_disconnected == nullptr) return -1;
  const PythonRef get_logger = PythonRef::steal(attribute_of("logging", "getLogger"));
  if (!get_logger) return -1;
  objects.logger = PyObject_CallFunction(get_logger.get(), "s", "cppasgi.server");
  if (objects.logger == nullptr) return -1;
  ready = true;
  return 0;
}

}  // namespace cppasgi::bridge
