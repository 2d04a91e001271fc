// The "C+py" floor: the same server, answering by an ASGI application whose coroutine it steps
// itself: no asyncio, no task, no lifespan. An application that awaits anything but receive() and
// send() is refused. floor_python.serve(port, application)
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

#include "server.h"

namespace {

struct Exchange;

PyObject* prototype[2];  // of the scopes: http, websocket
PyObject *kType, *kBody, *kText, *kBytes, *kHeaders, *kStatus, *kMore;  // interned names
PyObject *kMethod, *kPath, *kRawPath, *kQuery;
PyObject* finished;          // the awaitable that is done already
std::vector<Client*> dirty;  // have output that no read of their own will flush

[[noreturn]] void die(const char* reason) {
  if (PyErr_Occurred() != nullptr) PyErr_Print();
  std::fprintf(stderr, "floor_python: %s\n", reason);
  std::_Exit(1);
}

PyObject* checked(PyObject* object) {
  if (object == nullptr) die("out of memory or a wrong type");
  return object;
}

// One request or WebSocket: the receive() and send() of its application, and the awaitable of
// receive().
struct Exchange {
  PyObject_HEAD
  Client* client;  // null once it is answered or gone
  PyObject* coroutine;
  std::deque<PyObject*>* messages;  // not yet received
  bool websocket, accepted, started, chunked;
};

void set_item(PyObject* dict, PyObject* key, PyObject* value) {
  if (value == nullptr || PyDict_SetItem(dict, key, value) != 0) die("a dict");
  Py_DECREF(value);
}

PyObject* message(const char* type) {
  PyObject* dict = checked(PyDict_New());
  set_item(dict, kType, PyUnicode_FromString(type));
  return dict;
}

std::string_view bytes_of(PyObject* object) {
  if (object == nullptr || PyBytes_Check(object) == 0) die("not bytes");
  return {PyBytes_AS_STRING(object), static_cast<std::size_t>(PyBytes_GET_SIZE(object))};
}

void send_start(Exchange& exchange, PyObject* event) {
  std::string& output = exchange.client->output;
  output.append("HTTP/1.1 ").append(std::to_string(PyLong_AsLong(PyDict_GetItem(event, kStatus))));
  output += " \r\n";
  exchange.chunked = true;
  PyObject* headers = PyDict_GetItem(event, kHeaders);
  for (Py_ssize_t i = 0; headers != nullptr && i < PyList_Size(headers); ++i) {
    PyObject* pair = PyList_GET_ITEM(headers, i);
    const std::string_view name = bytes_of(PySequence_Fast_GET_ITEM(pair, 0));
    if (name == "content-length") exchange.chunked = false;
    output.append(name).append(": ").append(bytes_of(PySequence_Fast_GET_ITEM(pair, 1)));
    output += "\r\n";
  }
  if (exchange.chunked) output += "transfer-encoding: chunked\r\n";
  output.append(exchange.client->connection_field());
  output += "\r\n";
  exchange.started = true;
}

void send_body(Exchange& exchange, PyObject* event) {
  std::string& output = exchange.client->output;
  PyObject* body = PyDict_GetItem(event, kBody);
  PyObject* more = PyDict_GetItem(event, kMore);
  const std::string_view content = body == nullptr ? std::string_view{} : bytes_of(body);
  if (!exchange.chunked) {
    output.append(content);
    return;
  }
  if (!content.empty()) {
    char size[24];
    output.append(size, static_cast<std::size_t>(
                            std::snprintf(size, sizeof size, "%zx\r\n", content.size())));
    output.append(content).append("\r\n");
  }
  if (more != Py_True) output += "0\r\n\r\n";
}

void send_message(Exchange& exchange, PyObject* event) {
  PyObject* text = PyDict_GetItem(event, kText);
  Py_ssize_t size = 0;
  const char* data = nullptr;
  const bool is_text = text != nullptr && text != Py_None;
  if (is_text) {
    data = PyUnicode_AsUTF8AndSize(text, &size);
  } else if (PyBytes_AsStringAndSize(PyDict_GetItem(event, kBytes), const_cast<char**>(&data),
                                     &size) != 0) {
    data = nullptr;
  }
  if (data == nullptr) die("a message without text or bytes");
  if (exchange.client->output.empty()) dirty.push_back(exchange.client);
  exchange.client->send_message(
      {reinterpret_cast<const std::uint8_t*>(data), static_cast<std::size_t>(size)}, is_text);
}

PyObject* send(PyObject* self, PyObject* event) {
  auto& exchange = *reinterpret_cast<Exchange*>(self);
  if (exchange.client == nullptr) {
    PyErr_SetString(PyExc_OSError, "gone");
    return nullptr;
  }
  PyObject* type = PyDict_GetItem(event, kType);
  const char* name = type == nullptr ? nullptr : PyUnicode_AsUTF8(type);
  if (name == nullptr) die("a message without a type");
  const std::string_view what = name;
  if (what == "http.response.start") {
    send_start(exchange, event);
  } else if (what == "http.response.body") {
    send_body(exchange, event);
  } else if (what == "websocket.send") {
    send_message(exchange, event);
  } else if (what == "websocket.accept") {
    exchange.accepted = true;
  }
  return Py_NewRef(finished);
}

PyObject* receive(PyObject* self, PyObject*) { return Py_NewRef(self); }

// receive()'s await: the next message, or a pause until there is one.
PyObject* receive_next(PyObject* self) {
  auto& exchange = *reinterpret_cast<Exchange*>(self);
  if (exchange.messages->empty()) Py_RETURN_NONE;
  PyObject* next = exchange.messages->front();
  exchange.messages->pop_front();
  PyErr_SetObject(PyExc_StopIteration, next);
  Py_DECREF(next);
  return nullptr;
}

PyObject* finished_next(PyObject*) { return nullptr; }

void exchange_free(PyObject* self) {
  auto& exchange = *reinterpret_cast<Exchange*>(self);
  Py_XDECREF(exchange.coroutine);
  for (PyObject* left : *exchange.messages) Py_DECREF(left);
  delete exchange.messages;
  Py_TYPE(self)->tp_free(self);
}

PyMethodDef receive_method = {"receive", receive, METH_NOARGS, nullptr};
PyMethodDef send_method = {"send", send, METH_O, nullptr};
PyAsyncMethods awaited = {.am_await = Py_NewRef};
PyTypeObject exchange_type = {PyVarObject_HEAD_INIT(nullptr, 0)};
PyTypeObject finished_type = {PyVarObject_HEAD_INIT(nullptr, 0)};

void make_types() {
  exchange_type.tp_name = "floor_python.Exchange";
  exchange_type.tp_basicsize = sizeof(Exchange);
  exchange_type.tp_dealloc = exchange_free;
  exchange_type.tp_iternext = receive_next;
  finished_type.tp_name = "floor_python.Finished";
  finished_type.tp_basicsize = sizeof(PyObject);
  finished_type.tp_iternext = finished_next;
  for (PyTypeObject* type : {&exchange_type, &finished_type}) {
    type->tp_flags = Py_TPFLAGS_DEFAULT;
    type->tp_as_async = &awaited;
    type->tp_iter = Py_NewRef;
    if (PyType_Ready(type) != 0) die("a type");
  }
  finished = checked(finished_type.tp_alloc(&finished_type, 0));
}

class Application final : public Answerer {
 public:
  explicit Application(PyObject* callable) : callable_(callable) {}

  void on_request(Client& client) override {
    PyObject* event = message("http.request");
    set_item(event, kBody,
             PyBytes_FromStringAndSize(client.body.data(), Py_ssize_t(client.body.size())));
    set_item(event, kMore, Py_NewRef(Py_False));
    Exchange* exchange = start(client, 0, event);
    if (exchange->coroutine != nullptr) die("a request was not answered at once");
    exchange->client = nullptr;
    Py_DECREF(exchange);
  }

  bool on_websocket(Client& client) override {
    Exchange* exchange = start(client, 1, message("websocket.connect"));
    client.data = exchange;
    return exchange->accepted;
  }

  void on_message(Client& client, std::span<std::uint8_t> payload, bool text) override {
    auto* exchange = static_cast<Exchange*>(client.data);
    PyObject* event = message("websocket.receive");
    const auto* data = reinterpret_cast<const char*>(payload.data());
    const auto size = static_cast<Py_ssize_t>(payload.size());
    set_item(
        event, text ? kText : kBytes,
        text ? PyUnicode_DecodeUTF8(data, size, nullptr) : PyBytes_FromStringAndSize(data, size));
    deliver(*exchange, event);
    if (dirty.size() == 1 && dirty.front() == &client) return dirty.clear();  // read() flushes it
    for (Client* other : dirty) other->flush();
    dirty.clear();
  }

  void on_gone(Client& client) override {
    auto* exchange = static_cast<Exchange*>(client.data);
    exchange->client = nullptr;
    deliver(*exchange, message("websocket.disconnect"));
    Py_DECREF(exchange);
  }

 private:
  Exchange* start(Client& client, int websocket, PyObject* event) {
    PyObject* object = checked(exchange_type.tp_alloc(&exchange_type, 0));
    auto* exchange = reinterpret_cast<Exchange*>(object);
    exchange->client = &client;
    exchange->websocket = websocket != 0;
    exchange->messages = new std::deque<PyObject*>{event};
    PyObject* scope = checked(PyDict_Copy(prototype[websocket]));
    if (websocket == 0) {
      const std::string_view method = client.method();
      set_item(scope, kMethod,
               PyUnicode_FromStringAndSize(method.data(), Py_ssize_t(method.size())));
    }
    const std::size_t end = std::min(client.target.find('?'), client.target.size());
    const std::string query = client.target.substr(std::min(end + 1, client.target.size()));
    set_item(scope, kPath, PyUnicode_FromStringAndSize(client.target.data(), Py_ssize_t(end)));
    set_item(scope, kRawPath, PyBytes_FromStringAndSize(client.target.data(), Py_ssize_t(end)));
    set_item(scope, kQuery, PyBytes_FromStringAndSize(query.data(), Py_ssize_t(query.size())));
    PyObject* headers = checked(PyList_New(Py_ssize_t(client.fields.size() / 2)));
    for (std::size_t i = 0; i + 1 < client.fields.size(); i += 2) {
      const std::string &name = client.fields[i], &value = client.fields[i + 1];
      PyObject* pair = checked(PyTuple_New(2));
      PyTuple_SET_ITEM(pair, 0, PyBytes_FromStringAndSize(name.data(), Py_ssize_t(name.size())));
      PyTuple_SET_ITEM(pair, 1, PyBytes_FromStringAndSize(value.data(), Py_ssize_t(value.size())));
      PyList_SET_ITEM(headers, Py_ssize_t(i / 2), pair);
    }
    set_item(scope, kHeaders, headers);
    PyObject* arguments[] = {scope, PyCFunction_New(&receive_method, object),
                             PyCFunction_New(&send_method, object)};
    exchange->coroutine = checked(PyObject_Vectorcall(callable_, arguments, 3, nullptr));
    for (PyObject* argument : arguments) Py_DECREF(argument);
    step(*exchange);
    return exchange;
  }

  static void deliver(Exchange& exchange, PyObject* event) {
    exchange.messages->push_back(event);
    if (exchange.coroutine != nullptr) step(exchange);
  }

  static void step(Exchange& exchange) {
    PyObject* result = nullptr;
    const PySendResult sent = PyIter_Send(exchange.coroutine, Py_None, &result);
    Py_XDECREF(result);
    if (sent == PYGEN_ERROR) die("the application failed");
    if (sent == PYGEN_NEXT && !exchange.messages->empty()) die("the application awaits asyncio");
    if (sent == PYGEN_RETURN) Py_CLEAR(exchange.coroutine);
  }

  PyObject* callable_;
};

PyObject* serve_python(PyObject*, PyObject* args) {
  int port = 0;
  PyObject* callable = nullptr;
  if (PyArg_ParseTuple(args, "iO", &port, &callable) == 0) return nullptr;
  for (int i = 0; i < 2; ++i) {
    prototype[i] =
        Py_BuildValue("{s:s,s:{s:s,s:s},s:s,s:s,s:s,s:(si),s:(si)}", "type",
                      i == 0 ? "http" : "websocket", "asgi", "version", "3.0", "spec_version",
                      "2.5", "http_version", "1.1", "scheme", i == 0 ? "http" : "ws", "root_path",
                      "", "client", "127.0.0.1", 0, "server", "127.0.0.1", port);
    checked(prototype[i]);
  }
  Application application(callable);
  serve(port, application);
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {{"serve", serve_python, METH_VARARGS, nullptr}, {}};
PyModuleDef module = {PyModuleDef_HEAD_INIT, "floor_python", nullptr, -1, methods};

}  // namespace

PyMODINIT_FUNC PyInit_floor_python() {
  const std::pair<PyObject**, const char*> names[] = {
      {&kType, "type"},     {&kBody, "body"},        {&kText, "text"},         {&kBytes, "bytes"},
      {&kStatus, "status"}, {&kMore, "more_body"},   {&kHeaders, "headers"},   {&kMethod, "method"},
      {&kPath, "path"},     {&kRawPath, "raw_path"}, {&kQuery, "query_string"}};
  for (const auto& [name, text] : names) *name = checked(PyUnicode_InternFromString(text));
  make_types();
  return PyModule_Create(&module);
}
