// Messages of the HTTP response extensions (docs/asgi_extensions.md): early hints, trailers, files.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "asgi_bridge/interned.h"
#include "asgi_bridge/message.h"
#include "asgi_bridge/message_values.h"
#include "server/http/syntax.h"
#include "server/http/trailers.h"

namespace cppasgi::bridge {

namespace {

// Reads a number of bytes, if the message has one.
bool read_number(PyObject* message, PyObject* key, std::optional<std::uint64_t>& number) {
  const PythonRef value = optional_item(message, key);
  if (!value) return PyErr_Occurred() == nullptr;
  const long long result = PyLong_AsLongLong(value.get());
  if (result == -1 && PyErr_Occurred() != nullptr) return false;
  if (result < 0) {
    PyErr_Format(PyExc_ValueError, "%U must not be negative", key);
    return false;
  }
  number = static_cast<std::uint64_t>(result);
  return true;
}

// Reads the position of a file. A file object may have read ahead of its descriptor, so it is
// asked.
bool read_position(PyObject* object, const FileSlice& file,
                   std::optional<std::uint64_t>& position) {
  if (PyLong_Check(object)) {
    position = file.position();
    return true;
  }
  const PythonRef value = PythonRef::steal(PyObject_CallMethodNoArgs(object, interned().tell));
  if (!value) return false;
  const long long result = PyLong_AsLongLong(value.get());
  if (result == -1 && PyErr_Occurred() != nullptr) return false;
  position = static_cast<std::uint64_t>(result);
  return true;
}

// Moves the position to the end of the slice.
bool move_position(PyObject* object, const FileSlice& file) {
  const std::uint64_t end = file.offset() + file.size();
  if (PyLong_Check(object)) {
    file.set_position(end);
    return true;
  }
  const PythonRef value = PythonRef::steal(PyLong_FromUnsignedLongLong(end));
  if (!value) return false;
  return static_cast<bool>(
      PythonRef::steal(PyObject_CallMethodOneArg(object, interned().seek, value.get())));
}

}  // namespace

bool read_announces_trailers(PyObject* message, bool& trailers) {
  return read_truth(message, interned().trailers, trailers);
}

bool read_early_hint(PyObject* message, std::vector<std::string_view>& links,
                     std::vector<PythonRef>& alive) {
  const PythonRef value = required_item(message, interned().early_hint, interned().links);
  if (!value) return false;
  PythonRef items =
      PythonRef::steal(PySequence_Fast(value.get(), "links must be an iterable of bytes"));
  if (!items) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    PyObject* link = PySequence_Fast_GET_ITEM(items.get(), i);
    std::string_view& text = links.emplace_back();
    if (!read_header_bytes(link, "value", text)) return false;
    text = http::trim(text);
    if (text.empty() || !http::is_field_value(text)) return raise_invalid("Invalid link %R", link);
  }
  alive.push_back(std::move(items));
  return true;
}

bool read_trailers(PyObject* message, std::vector<http::Field>& fields,
                   std::vector<PythonRef>& alive, More& more_trailers) {
  if (!read_more(message, interned().more_trailers, more_trailers)) return false;
  if (!read_headers(message, fields, alive)) return false;
  for (const http::Field& field : fields) {
    if (http::is_trailer_name(field.name)) continue;
    PyErr_Format(PyExc_ValueError, "%s can't be a trailer (RFC 9110 6.5.1)",
                 std::string(field.name).c_str());
    return false;
  }
  return true;
}

bool read_pathsend(PyObject* message, FileSlice& file) {
  const PythonRef value = required_item(message, interned().pathsend, interned().path);
  if (!value || !check_text(value.get(), "path")) return false;
  const PythonRef encoded = PythonRef::steal(PyUnicode_EncodeFSDefault(value.get()));
  char* bytes = nullptr;  // null-terminated; ValueError for a null byte within
  if (!encoded || PyBytes_AsStringAndSize(encoded.get(), &bytes, nullptr) != 0) return false;
  file = FileSlice::open(bytes);
  if (!file.is_open()) PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, value.get());
  return file.is_open();
}

bool read_zerocopysend(PyObject* message, FileSlice& file, More& more_body) {
  const PythonRef object = required_item(message, interned().zerocopysend, interned().file);
  if (!object) return false;
  const int fd = PyObject_AsFileDescriptor(object.get());
  std::optional<std::uint64_t> offset;
  std::optional<std::uint64_t> count;
  if (fd < 0 || !read_number(message, interned().offset, offset) ||
      !read_number(message, interned().count, count) ||
      !read_more(message, interned().more_body, more_body)) {
    return false;
  }
  file = FileSlice::copy_of(fd);
  if (!file.is_open()) {
    PyErr_SetFromErrno(PyExc_OSError);
    return false;
  }
  const bool from_position = !offset.has_value();
  if (from_position && !read_position(object.get(), file, offset)) return false;
  file.select(*offset, count.value_or(file.size()));
  return !from_position || move_position(object.get(), file);
}

}  // namespace cppasgi::bridge
