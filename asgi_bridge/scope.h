// Makes ASGI scopes of request heads (ASGI HTTP 2.5 and WebSocket 2.5). What is the same for all
// requests is in prototypes, which are copied; names of header fields are cached as bytes objects.
// Loop thread, with the GIL.
#pragma once

#include <Python.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "asgi_bridge/python_ref.h"
#include "server/application.h"

namespace cppasgi::bridge {

// The extensions of ASGI that depend on the request.
struct HttpExtensions {
  bool early_hint = false;
  bool trailers = false;
  bool files = false;  // pathsend and zerocopysend
};

class ScopeMaker {
 public:
  // Makes the prototypes. Returns false with a Python exception on failure. Every scope gets
  // `root_path` as it is.
  bool init(std::string_view root_path);
  // Has every scope get a shallow copy of `state` from now on, or no such key if it is None.
  void set_state(PyObject* state);
  // Visits what this owns that may refer to other objects, for the garbage collector.
  int traverse(visitproc visit, void* arg) const {
    Py_VISIT(state_.get());
    return 0;
  }

  // Each returns a new dict, or null with a Python exception.
  PyObject* http(const http::RequestHead& head, const ConnectionInfo& connection,
                 HttpExtensions extensions);
  PyObject* websocket(const http::RequestHead& head, const ConnectionInfo& connection,
                      const std::vector<std::string>& subprotocols);

 private:
  // A direct-mapped cache of a fixed size: a name replaces another one with the same hash, so that
  // a client can't make the cache grow.
  class NameCache {
   public:
    PyObject* get(std::string_view name);  // new reference, or null

   private:
    static constexpr std::size_t kEntries = 256;
    static constexpr std::size_t kLongestName = 64;
    std::array<PythonRef, kEntries> names_;
  };

  // Like NameCache, for tuples (host, port), which the requests of a connection share.
  class AddressCache {
   public:
    PyObject* get(const Address& address);  // new reference, or null

   private:
    static constexpr std::size_t kEntries = 256;
    struct Entry {
      std::string host;
      std::uint16_t port = 0;
      PythonRef pair;
    };
    std::array<Entry, kEntries> pairs_;
  };

  PyObject* to_client(const Address& address);
  PyObject* to_server(const Address& address);
  bool fill(PyObject* scope, PyObject* asgi, const http::RequestHead& head,
            const ConnectionInfo& connection);
  PyObject* make_headers(const http::RequestHead& head, bool with_root_path);
  bool set_root_path(PyObject* scope, const http::RequestHead& head);

  PythonRef http_prototype_;
  PythonRef websocket_prototype_;
  PythonRef http_asgi_;
  PythonRef websocket_asgi_;
  PythonRef state_;
  NameCache names_;
  AddressCache clients_;
  AddressCache servers_;
  std::string path_;  // reused
};

}  // namespace cppasgi::bridge
