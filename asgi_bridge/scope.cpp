#include "asgi_bridge/scope.h"

#include <cstdint>

#include "asgi_bridge/interned.h"
#include "asgi_bridge/python_values.h"
#include "server/http/target.h"

namespace cppasgi::bridge {

namespace {

bool has_underscore(const http::Field& field) {
  return field.name.find('_') != std::string_view::npos;
}

PyObject* to_method(std::string_view method) {
  if (method == "GET") return Py_NewRef(interned().get);
  if (method == "POST") return Py_NewRef(interned().post);
  if (method == "HEAD") return Py_NewRef(interned().head);
  return to_text(method);
}

// Makes a tuple of two. Steals both; if one is null, returns null and leaves the exception.
PyObject* to_pair(PyObject* first, PyObject* second) {
  PyObject* pair = first != nullptr && second != nullptr ? PyTuple_New(2) : nullptr;
  if (pair == nullptr) {
    Py_XDECREF(first);
    Py_XDECREF(second);
    return nullptr;
  }
  PyTuple_SET_ITEM(pair, 0, first);
  PyTuple_SET_ITEM(pair, 1, second);
  return pair;
}

// Each extension gets a dict of its own, lest a request see what another one wrote.
PyObject* to_extensions(HttpExtensions extensions) {
  const Interned& names = interned();
  PythonRef dict = PythonRef::steal(PyDict_New());
  if (!dict) return nullptr;
  const auto add = [&dict](PyObject* name) { return set_owned(dict.get(), name, PyDict_New()); };
  if (extensions.files && (!add(names.pathsend) || !add(names.zerocopysend))) return nullptr;
  if (extensions.early_hint && !add(names.early_hint)) return nullptr;
  if (extensions.trailers && !add(names.response_trailers)) return nullptr;
  return dict.release();
}

}  // namespace

bool ScopeMaker::init(std::string_view root_path) {
  const Interned& names = interned();
  // Starlette's streams don't listen for the client's end where the scope names HTTP 2.4 or later,
  // as they expect send() to raise then: one that waits for its next part would never hear of it.
  http_asgi_ =
      PythonRef::steal(Py_BuildValue("{OsOs}", names.version, "3.0", names.spec_version, "2.3"));
  websocket_asgi_ =
      PythonRef::steal(Py_BuildValue("{OsOs}", names.version, "3.0", names.spec_version, "2.5"));
  PythonRef root = PythonRef::steal(to_text(root_path));
  if (!http_asgi_ || !websocket_asgi_ || !root) return false;
  // The keys have the specification's order. Values that differ between requests are overwritten,
  // which never resizes the dict.
  http_prototype_ = PythonRef::steal(to_dict({{names.type, names.http},
                                              {names.asgi, Py_None},
                                              {names.http_version, names.v1_1},
                                              {names.method, names.get},
                                              {names.scheme, names.http},
                                              {names.path, Py_None},
                                              {names.raw_path, Py_None},
                                              {names.query_string, names.empty_bytes},
                                              {names.root_path, root.get()},
                                              {names.headers, Py_None},
                                              {names.client, Py_None},
                                              {names.server, Py_None},
                                              {names.extensions, Py_None}}));
  websocket_prototype_ = PythonRef::steal(to_dict({{names.type, names.websocket},
                                                   {names.asgi, Py_None},
                                                   {names.http_version, names.v1_1},
                                                   {names.scheme, names.ws},
                                                   {names.path, Py_None},
                                                   {names.raw_path, Py_None},
                                                   {names.query_string, names.empty_bytes},
                                                   {names.root_path, root.get()},
                                                   {names.headers, Py_None},
                                                   {names.client, Py_None},
                                                   {names.server, Py_None},
                                                   {names.subprotocols, Py_None},
                                                   {names.extensions, Py_None}}));
  return http_prototype_ && websocket_prototype_;
}

void ScopeMaker::set_state(PyObject* state) {
  state_ = state == Py_None ? PythonRef() : PythonRef::share(state);
}

PyObject* ScopeMaker::http(const http::RequestHead& head, const ConnectionInfo& connection,
                           HttpExtensions extensions) {
  const Interned& names = interned();
  PythonRef scope = PythonRef::steal(PyDict_Copy(http_prototype_.get()));
  if (!scope || !fill(scope.get(), http_asgi_.get(), head, connection)) return nullptr;
  if (head.method() != "GET" && !set_owned(scope.get(), names.method, to_method(head.method())))
    return nullptr;
  if (head.version == http::Version::Http10 &&
      PyDict_SetItem(scope.get(), names.http_version, names.v1_0) != 0) {
    return nullptr;
  }
  if (connection.secure && PyDict_SetItem(scope.get(), names.scheme, names.https) != 0)
    return nullptr;
  if (!set_owned(scope.get(), names.extensions, to_extensions(extensions))) return nullptr;
  return scope.release();
}

PyObject* ScopeMaker::websocket(const http::RequestHead& head, const ConnectionInfo& connection,
                                const std::vector<std::string>& subprotocols) {
  const Interned& names = interned();
  PythonRef scope = PythonRef::steal(PyDict_Copy(websocket_prototype_.get()));
  if (!scope || !fill(scope.get(), websocket_asgi_.get(), head, connection)) return nullptr;
  if (connection.secure && PyDict_SetItem(scope.get(), names.scheme, names.wss) != 0)
    return nullptr;
  PythonRef list = PythonRef::steal(PyList_New(0));
  if (!list) return nullptr;
  for (const std::string& subprotocol : subprotocols) {
    const PythonRef text = PythonRef::steal(to_text(subprotocol));
    if (!text || PyList_Append(list.get(), text.get()) != 0) return nullptr;
  }
  if (PyDict_SetItem(scope.get(), names.subprotocols, list.get()) != 0) return nullptr;
  const PythonRef extensions = PythonRef::steal(Py_BuildValue("{O{}}", names.denial_response));
  if (!extensions || PyDict_SetItem(scope.get(), names.extensions, extensions.get()) != 0)
    return nullptr;
  return scope.release();
}

// Sets the keys that both kinds of scope have. The small dicts are copied, lest a request see what
// another one wrote.
bool ScopeMaker::fill(PyObject* scope, PyObject* asgi, const http::RequestHead& head,
                      const ConnectionInfo& connection) {
  const Interned& names = interned();
  const http::TargetParts target = http::split_target(head.target());
  std::string_view path = target.raw_path;
  if (path.find('%') != std::string_view::npos) {
    http::percent_decode(path, path_);
    path = path_;
  }
  if (!set_owned(scope, names.asgi, PyDict_Copy(asgi))) return false;
  if (!set_owned(scope, names.path, to_text(path))) return false;
  if (!set_owned(scope, names.raw_path, to_bytes(target.raw_path))) return false;
  if (!target.query.empty() && !set_owned(scope, names.query_string, to_bytes(target.query)))
    return false;
  const bool has_root_path = connection.has_root_path;
  if (has_root_path && !set_root_path(scope, head)) return false;
  if (!set_owned(scope, names.headers, make_headers(head, !has_root_path))) return false;
  if (!set_owned(scope, names.client, to_client(connection.client))) return false;
  if (!set_owned(scope, names.server, to_server(connection.server))) return false;
  if (!state_) return true;
  return set_owned(scope, names.state,
                   PyDict_Check(state_.get()) ? PyDict_Copy(state_.get())
                                              : PyObject_CallMethod(state_.get(), "copy", nullptr));
}

// The last of the fields counts, as with Daphne.
bool ScopeMaker::set_root_path(PyObject* scope, const http::RequestHead& head) {
  for (std::size_t i = 0; i < head.field_count(); ++i) {
    const http::Field field = head.field(i);
    if (field.name != http::kRootPathField) continue;
    http::percent_decode(field.value, path_);
    if (!set_owned(scope, interned().root_path, to_text(path_))) return false;
  }
  return true;
}

// Leaves out names with an underscore: applications that turn names into variables, as WSGI and
// Django do, couldn't tell a client's X_Remote_User from a proxy's X-Remote-User (CVE-2015-0219).
PyObject* ScopeMaker::make_headers(const http::RequestHead& head, bool with_root_path) {
  const std::size_t count = head.field_count();
  PythonRef list = PythonRef::steal(PyList_New(static_cast<Py_ssize_t>(count)));
  if (!list) return nullptr;
  Py_ssize_t next = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const http::Field field = head.field(i);
    if (has_underscore(field) || (!with_root_path && field.name == http::kRootPathField)) continue;
    PyObject* pair = to_pair(names_.get(field.name), to_bytes(field.value));
    if (pair == nullptr) return nullptr;
    PyList_SET_ITEM(list.get(), next++, pair);
  }
  const Py_ssize_t size = PyList_GET_SIZE(list.get());
  if (next < size && PyList_SetSlice(list.get(), next, size, nullptr) != 0) return nullptr;
  return list.release();
}

// to_client() and to_server() return (host, port). For a Unix socket the client is None and the
// server (path, None).
PyObject* ScopeMaker::to_client(const Address& address) {
  if (address.family == Address::Family::Unix) return Py_NewRef(Py_None);
  return clients_.get(address);
}

PyObject* ScopeMaker::to_server(const Address& address) {
  if (address.family == Address::Family::Tcp) return servers_.get(address);
  return to_pair(PyUnicode_DecodeFSDefaultAndSize(address.host.data(),
                                                  static_cast<Py_ssize_t>(address.host.size())),
                 Py_NewRef(Py_None));
}

PyObject* ScopeMaker::AddressCache::get(const Address& address) {
  Entry& entry = pairs_[address.port % kEntries];
  if (!entry.pair || entry.port != address.port || entry.host != address.host) {
    entry.pair = PythonRef::steal(to_pair(to_text(address.host), PyLong_FromLong(address.port)));
    entry.host = address.host;
    entry.port = address.port;
  }
  return Py_XNewRef(entry.pair.get());
}

PyObject* ScopeMaker::NameCache::get(std::string_view name) {
  if (name.empty() || name.size() > kLongestName) return to_bytes(name);
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (const char letter : name) hash = (hash ^ static_cast<unsigned char>(letter)) * 16777619U;
  PythonRef& entry = names_[hash % kEntries];
  PyObject* cached = entry.get();
  if (cached == nullptr ||
      name != std::string_view(PyBytes_AS_STRING(cached),
                               static_cast<std::size_t>(PyBytes_GET_SIZE(cached)))) {
    entry = PythonRef::steal(to_bytes(name));
  }
  return Py_XNewRef(entry.get());
}

}  // namespace cppasgi::bridge
