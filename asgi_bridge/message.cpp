#include "asgi_bridge/message.h"

#include <algorithm>
#include <array>
#include <utility>

#include "asgi_bridge/interned.h"
#include "asgi_bridge/message_values.h"
#include "asgi_bridge/python_values.h"
#include "server/http/syntax.h"

namespace cppasgi::bridge {

namespace {

PyObject* request_prototype = nullptr;  // {"type": "http.request", "body": b"", "more_body": False}
PyObject* disconnect_prototype = nullptr;  // {"type": "http.disconnect"}

struct TypeName {
  std::string_view name;
  MessageType type;
};

constexpr std::array<TypeName, 11> kTypeNames{{
    {"http.response.start", MessageType::HttpResponseStart},
    {"http.response.body", MessageType::HttpResponseBody},
    {"websocket.send", MessageType::WebSocketSend},
    {"websocket.accept", MessageType::WebSocketAccept},
    {"websocket.close", MessageType::WebSocketClose},
    {"websocket.http.response.start", MessageType::WebSocketHttpResponseStart},
    {"websocket.http.response.body", MessageType::WebSocketHttpResponseBody},
    {"http.response.early_hint", MessageType::HttpResponseEarlyHint},
    {"http.response.trailers", MessageType::HttpResponseTrailers},
    {"http.response.pathsend", MessageType::HttpResponsePathsend},
    {"http.response.zerocopysend", MessageType::HttpResponseZerocopysend},
}};

bool is_number(std::string_view text) {
  constexpr std::size_t kMostDigits = 18;  // fits 64 bits
  return !text.empty() && text.size() <= kMostDigits &&
         std::all_of(text.begin(), text.end(),
                     [](char letter) { return letter >= '0' && letter <= '9'; });
}

constexpr const char* kNoPair = "a header must be a pair of bytes";

bool is_list_or_tuple(PyObject* object) { return PyList_Check(object) || PyTuple_Check(object); }

// Returns the headers as a list or tuple of lists or tuples: mostly those of the message itself,
// otherwise a copy. Iterating over anything else runs Python code, which may change the message, so
// only the copy is used then.
PythonRef as_pairs(PyObject* headers) {
  PythonRef items =
      PythonRef::steal(PySequence_Fast(headers, "headers must be an iterable of pairs of bytes"));
  if (!items) return {};
  PyObject** first = PySequence_Fast_ITEMS(items.get());
  PyObject** end = first + PySequence_Fast_GET_SIZE(items.get());
  if (std::all_of(first, end, &is_list_or_tuple)) return items;
  PythonRef copy = PythonRef::steal(PyList_New(0));
  for (Py_ssize_t i = 0; copy && i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    const PythonRef item = PythonRef::share(PySequence_Fast_GET_ITEM(items.get(), i));
    const PythonRef parts = PythonRef::steal(PySequence_Fast(item.get(), kNoPair));
    const PythonRef pair = PythonRef::steal(parts ? PySequence_Tuple(parts.get()) : nullptr);
    if (!pair || PyList_Append(copy.get(), pair.get()) != 0) return {};
  }
  return copy;
}

// Reads one header; `items` is a list or tuple.
bool read_header(PyObject* items, http::Field& field) {
  if (PySequence_Fast_GET_SIZE(items) != 2) {
    PyErr_SetString(PyExc_ValueError, kNoPair);
    return false;
  }
  if (!read_header_bytes(PySequence_Fast_GET_ITEM(items, 0), "name", field.name)) return false;
  if (!read_header_bytes(PySequence_Fast_GET_ITEM(items, 1), "value", field.value)) return false;
  PyObject* name = PySequence_Fast_GET_ITEM(items, 0);
  PyObject* value = PySequence_Fast_GET_ITEM(items, 1);
  if (!http::is_token(field.name)) return raise_invalid("Invalid header name %R", name);
  field.value = http::trim(field.value);
  if (!http::is_field_value(field.value)) return raise_invalid("Invalid header value %R", value);
  if (http::equals_ignoring_case(field.name, "content-length") && !is_number(field.value))
    return raise_invalid("Invalid Content-Length %R", value);
  return true;
}

}  // namespace

int init_messages() {
  const Interned& names = interned();
  request_prototype = to_dict({{names.type, names.http_request},
                               {names.body, names.empty_bytes},
                               {names.more_body, Py_False}});
  disconnect_prototype = to_dict({{names.type, names.http_disconnect}});
  return request_prototype != nullptr && disconnect_prototype != nullptr ? 0 : -1;
}

PyObject* http_request_message(const PythonRef& body, More more_body) {
  PythonRef message = PythonRef::steal(PyDict_Copy(request_prototype));
  if (!message) return nullptr;
  if (body && PyDict_SetItem(message.get(), interned().body, body.get()) != 0) return nullptr;
  if (more_body == More::Yes && PyDict_SetItem(message.get(), interned().more_body, Py_True) != 0)
    return nullptr;
  return message.release();
}

PyObject* http_disconnect_message() { return PyDict_Copy(disconnect_prototype); }

PyObject* websocket_connect_message() {
  return to_dict({{interned().type, interned().websocket_connect}});
}

PyObject* websocket_receive_message(const WebSocketMessage& message) {
  const Interned& names = interned();
  PythonRef dict = PythonRef::steal(to_dict({{names.type, names.websocket_receive}}));
  if (!dict) return nullptr;
  const bool is_text = message.kind == WebSocketMessage::Kind::Text;
  PyObject* value = is_text ? to_text(message.payload) : to_bytes(message.payload);
  if (!set_owned(dict.get(), is_text ? names.text : names.bytes, value)) return nullptr;
  return dict.release();
}

PyObject* websocket_disconnect_message(std::uint16_t code, std::string_view reason) {
  const Interned& names = interned();
  PythonRef dict = PythonRef::steal(to_dict({{names.type, names.websocket_disconnect}}));
  if (!dict || !set_owned(dict.get(), names.code, PyLong_FromLong(code))) return nullptr;
  if (!set_owned(dict.get(), names.reason, to_text(reason))) return nullptr;
  return dict.release();
}

bool TextView::read(PythonRef object, const char* what) {
  object_ = std::move(object);
  return read_text(object_.get(), what, view_);
}

bool BytesView::read(PythonRef owned, const char* what) {
  object_ = std::move(owned);
  PyObject* object = object_.get();
  if (PyBytes_CheckExact(object)) {
    view_ = {PyBytes_AS_STRING(object), static_cast<std::size_t>(PyBytes_GET_SIZE(object))};
    return true;
  }
  if (PyObject_CheckBuffer(object)) {
    if (PyObject_GetBuffer(object, &buffer_, PyBUF_SIMPLE) != 0) return false;
    view_ = {static_cast<const char*>(buffer_.buf), static_cast<std::size_t>(buffer_.len)};
    return true;
  }
  PyErr_Format(PyExc_TypeError, "%s expected to be `bytes`, but got `%R`", what, Py_TYPE(object));
  return false;
}

bool read_type(PyObject* message, MessageType& type) {
  if (!PyDict_Check(message)) {
    PyErr_Format(PyExc_TypeError, "Message expected to be `dict`, but got `%R`", Py_TYPE(message));
    return false;
  }
  const PythonRef value = optional_item(message, interned().type);
  if (!value) {
    if (PyErr_Occurred() == nullptr)
      PyErr_SetString(PyExc_ValueError, "Message has no type defined");
    return false;
  }
  std::string_view name;
  if (!read_text(value.get(), "Message type", name)) return false;
  for (const TypeName& known : kTypeNames) {
    if (known.name == name) {
      type = known.type;
      return true;
    }
  }
  return raise_invalid("Cannot handle message type %U!", value.get());
}

const char* name_of(MessageType type) {
  return std::find_if(kTypeNames.begin(), kTypeNames.end(),
                      [type](const TypeName& known) { return known.type == type; })
      ->name.data();
}

bool read_headers(PyObject* message, std::vector<http::Field>& fields,
                  std::vector<PythonRef>& alive) {
  fields.clear();
  const PythonRef headers = optional_item(message, interned().headers);
  if (!headers) return PyErr_Occurred() == nullptr;
  PythonRef items = as_pairs(headers.get());
  if (!items) return false;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(items.get());
  for (Py_ssize_t i = 0; i < count; ++i) {
    http::Field& field = fields.emplace_back();
    if (!read_header(PySequence_Fast_GET_ITEM(items.get(), i), field)) return false;
  }
  alive.push_back(std::move(items));
  return true;
}

bool read_response_start(PyObject* message, http::ResponseHead& head,
                         std::vector<PythonRef>& alive) {
  const PythonRef status = optional_item(message, interned().status);
  if (!status) {
    if (PyErr_Occurred() == nullptr) {
      PyErr_SetString(PyExc_ValueError,
                      "Specifying a status code is required for a Response message.");
    }
    return false;
  }
  // Members of http.HTTPStatus are ints too.
  const long value = PyLong_AsLong(status.get());
  if (value == -1 && PyErr_Occurred() != nullptr) return false;
  if (value < 200 || value > 999) {
    PyErr_Format(PyExc_ValueError, "Status code %ld is not that of a final response (200 to 999)",
                 value);
    return false;
  }
  head.status = static_cast<int>(value);
  return read_headers(message, head.fields, alive);
}

bool read_response_body(PyObject* message, BytesView& body, More& more_body) {
  if (!read_more(message, interned().more_body, more_body)) return false;
  PythonRef value = optional_item(message, interned().body);
  return value ? body.read(std::move(value), "body") : PyErr_Occurred() == nullptr;
}

bool read_accept(PyObject* message, TextView& subprotocol, std::vector<http::Field>& fields,
                 std::vector<PythonRef>& alive) {
  PythonRef value = optional_item(message, interned().subprotocol);
  if (value ? !subprotocol.read(std::move(value), "subprotocol") : PyErr_Occurred() != nullptr)
    return false;
  if (subprotocol.object() != nullptr && !http::is_token(subprotocol.view()))
    return raise_invalid("Invalid subprotocol %R", subprotocol.object());
  if (!read_headers(message, fields, alive)) return false;
  for (const http::Field& field : fields) {
    if (http::equals_ignoring_case(field.name, "sec-websocket-protocol")) {
      PyErr_SetString(PyExc_ValueError,
                      "websocket.accept names its subprotocol in `subprotocol`, not in a header");
      return false;
    }
  }
  return true;
}

bool read_websocket_send(PyObject* message, WebSocketMessage::Kind& kind, TextView& text,
                         BytesView& bytes) {
  PythonRef text_value = optional_item(message, interned().text);
  if (!text_value && PyErr_Occurred() != nullptr) return false;
  PythonRef bytes_value = optional_item(message, interned().bytes);
  if (!bytes_value && PyErr_Occurred() != nullptr) return false;
  if (static_cast<bool>(text_value) == static_cast<bool>(bytes_value)) {
    if (!text_value) {
      PyErr_SetString(PyExc_ValueError, "websocket.send contains neither bytes nor text");
    } else {
      PyErr_Format(PyExc_ValueError,
                   "Got invalid WebSocket reply message on %R - contains both bytes and text keys",
                   message);
    }
    return false;
  }
  if (text_value) {
    kind = WebSocketMessage::Kind::Text;
    return text.read(std::move(text_value), "text");
  }
  kind = WebSocketMessage::Kind::Binary;
  return bytes.read(std::move(bytes_value), "bytes");
}

bool read_close(PyObject* message, std::uint16_t& code, TextView& reason) {
  code = 1000;
  const PythonRef code_value = optional_item(message, interned().code);
  if (!code_value && PyErr_Occurred() != nullptr) return false;
  if (code_value) {
    const long value = PyLong_AsLong(code_value.get());
    if (value == -1 && PyErr_Occurred() != nullptr) return false;
    const bool sendable = (value >= 1000 && value <= 1003) || (value >= 1007 && value <= 1014) ||
                          (value >= 3000 && value <= 4999);  // RFC 6455 7.4
    if (!sendable) {
      PyErr_Format(PyExc_ValueError, "invalid close code %ld", value);
      return false;
    }
    code = static_cast<std::uint16_t>(value);
  }
  PythonRef reason_value = optional_item(message, interned().reason);
  return reason_value ? reason.read(std::move(reason_value), "reason")
                      : PyErr_Occurred() == nullptr;
}

}  // namespace cppasgi::bridge
