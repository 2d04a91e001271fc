// Defines everything that Python can see of the C++ side; python/cppasgi/_native.pyi describes it
// to Python.
#include "asgi_bridge/module.h"

#include <pybind11/stl.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "asgi_bridge/application_call.h"
#include "asgi_bridge/asgi_server.h"
#include "asgi_bridge/awaitable.h"
#include "asgi_bridge/client_disconnect.h"
#include "asgi_bridge/interned.h"
#include "asgi_bridge/interpreter_end.h"
#include "asgi_bridge/loop_bridge.h"
#include "asgi_bridge/loop_core.h"
#include "asgi_bridge/loop_handle.h"
#include "asgi_bridge/message.h"
#include "asgi_bridge/options.h"
#include "server/base/heap.h"
#include "server/base/line_writer.h"
#include "server/metrics.h"
#include "server/options.h"
#include "server/process/last_words.h"
#include "server/process/loop_guard.h"
#include "server/process/stop_guard.h"

namespace py = pybind11;

namespace {

using cppasgi::Address;
using cppasgi::LoopGuard;
using cppasgi::ShutdownReason;
using cppasgi::bridge::AsgiServer;
using cppasgi::bridge::AsgiServerOptions;
using cppasgi::bridge::hold_at_interpreter_end;
using cppasgi::bridge::to_milliseconds;
using std::chrono::milliseconds;

// Returns (host, port), a path, or None for an unnamed Unix socket.
py::object to_python(const Address& address) {
  if (address.family == Address::Family::Tcp) return py::make_tuple(address.host, address.port);
  if (address.host.empty()) return py::none();
  return py::str(address.host);
}

// Returns the server that a Python object owns, or null before it is made.
AsgiServer* server_of(PyObject* object) {
  auto owner = reinterpret_cast<py::detail::instance*>(object)->get_value_and_holder();
  return owner.holder_constructed() ? owner.value_ptr<AsgiServer>() : nullptr;
}

int server_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Py_VISIT(Py_TYPE(self));
  const AsgiServer* server = server_of(self);
  return server == nullptr ? 0 : server->traverse(visit, arg);
}

int server_clear(PyObject* self) noexcept {
  hold_at_interpreter_end();
  if (AsgiServer* server = server_of(self)) server->clear();
  return 0;
}

// This runs before the rest of the garbage is cleared, so the server's loop still works.
void server_finalize(PyObject* self) noexcept {
  hold_at_interpreter_end();
  if (AsgiServer* server = server_of(self)) server->close();
}

// Makes the type's objects known to the garbage collector, as an application may refer to its
// server.
void make_collected(PyHeapTypeObject* heap_type) {
  PyTypeObject* type = &heap_type->ht_type;
  type->tp_flags |= Py_TPFLAGS_HAVE_GC;
  type->tp_traverse = &server_traverse;
  type->tp_clear = &server_clear;
  type->tp_finalize = &server_finalize;
}

void define_server(py::module_& module) {
  py::class_<AsgiServer>(module, "Server", py::custom_type_setup(&make_collected))
      .def(py::init(&AsgiServer::create), py::arg("application"), py::arg("loop"),
           py::arg("options"), py::arg("served"))
      .def(
          "bind_fd",
          [](AsgiServer& self, int fd, int backlog, bool proxy_protocol) {
            return to_python(
                self.bind_fd(fd, {.backlog = backlog, .proxy_protocol = proxy_protocol}));
          },
          py::arg("fd"), py::arg("backlog") = 0, py::arg("proxy_protocol") = false)
      .def(
          "start",
          [](const py::object& self, const py::object& state) {
            self.cast<AsgiServer&>().start(self, state);
          },
          py::arg("state") = py::none())
      .def(
          "drain",
          [](AsgiServer& self, py::object on_drained, bool restarts, double window) {
            const cppasgi::InProgress in_progress = self.drain(
                std::move(on_drained), restarts ? ShutdownReason::Restart : ShutdownReason::Stop,
                to_milliseconds(window));
            return py::make_tuple(in_progress.responses, in_progress.event_streams,
                                  in_progress.websockets);
          },
          py::arg("on_drained"), py::arg("restarts") = false, py::arg("window") = 0.0)
      .def("cut_short", &AsgiServer::cut_short)
      .def("cancel_applications", &AsgiServer::cancel_applications)
      .def("overdue_applications", &AsgiServer::overdue_applications, py::arg("timeout"))
      .def("note_heartbeat", &AsgiServer::note_heartbeat, py::arg("lag"), py::arg("gil_wait"),
           py::arg("dropped_lines") = 0)
      .def("tell_after", &AsgiServer::tell_after, py::arg("requests"), py::arg("fd"))
      .def("close", &AsgiServer::close)
      .def("disown", &AsgiServer::disown)
      .def_property_readonly("connections", &AsgiServer::connections)
      .def_property_readonly("running_applications", &AsgiServer::running_applications);
}

// The guard writes the loop's silence into a block of the metrics memory, unless `metrics_fd` is
// -1.
std::unique_ptr<LoopGuard> make_loop_guard(double limit, double period, int dump_signal, int status,
                                           int metrics_fd, std::size_t metrics_index) {
  LoopGuard::OnSilence on_silence;
  if (metrics_fd >= 0) {
    // The guard has a mapping of its own, because its thread may run a moment longer than the
    // server.
    auto metrics = std::make_shared<cppasgi::MetricsBlock>(metrics_fd, metrics_index);
    on_silence = [metrics](std::chrono::nanoseconds silence) {
      (*metrics)->loop_silence.set(static_cast<std::uint64_t>(silence.count()));
    };
  }
  return std::make_unique<LoopGuard>(to_milliseconds(limit), to_milliseconds(period), dump_signal,
                                     status, std::move(on_silence));
}

void define_process(py::module_& module) {
  py::class_<LoopGuard>(module, "LoopGuard")
      .def(py::init(&make_loop_guard), py::arg("limit"), py::arg("period"), py::arg("dump_signal"),
           py::arg("status"), py::arg("metrics_fd"), py::arg("metrics_index"))
      .def("beat", &LoopGuard::beat)
      .def("stop", &LoopGuard::stop);
  module.def("write_last_words_as_json", &cppasgi::write_last_words_as_json);
  module.def("collect_stacks", &cppasgi::collect_stacks, py::arg("signum"));
  module.def("end_at_sigterm", &cppasgi::end_at_sigterm);
  module.def("stop_insisted", &cppasgi::stop_insisted);
  module.def("pass_over_repeats", &cppasgi::pass_over_repeats);
  module.def(
      "guard_stop",
      [](const std::vector<int>& signals, double grace, int dump_signal) {
        cppasgi::guard_stop(signals, to_milliseconds(grace), dump_signal);
      },
      py::arg("signals"), py::arg("grace"), py::arg("dump_signal"));
  module.def(
      "end_process_in", [](double seconds) { cppasgi::end_process_in(to_milliseconds(seconds)); },
      py::arg("seconds"));
  module.def("keep_process", &cppasgi::keep_process);
  module.def("die_with_parent", &cppasgi::die_with_parent, py::arg("parent_pid"),
             py::arg("signum"));
}

void define_line_writer(py::module_& module) {
  using cppasgi::LineWriter;
  py::class_<LineWriter>(module, "LineWriter")
      .def(py::init<int>(), py::arg("fd"))
      .def("write", &LineWriter::write, py::arg("lines"))
      .def_property_readonly("waiting", &LineWriter::waiting)
      .def("flush", &LineWriter::flush)
      .def(
          "finish", [](LineWriter& self, double seconds) { self.finish(to_milliseconds(seconds)); },
          py::arg("seconds"))
      .def("discard", &LineWriter::discard)
      .def_property_readonly("dropped", &LineWriter::dropped)
      .def("take_untold", &LineWriter::take_untold);
}

void define_metrics(py::module_& module) {
  module.attr("METRICS_BYTES") = cppasgi::metrics_bytes();
  const cppasgi::RoutesLayout routes = cppasgi::routes_layout();
  module.attr("METRICS_ROUTES") = py::make_tuple(routes.offset, routes.bytes, routes.count);
  module.def("metrics_layout", [] {
    py::list rows;
    for (const cppasgi::MetricRow& row : cppasgi::metrics_layout()) {
      rows.append(py::make_tuple(row.family, row.kind, row.help, row.label, row.value, row.offset));
    }
    return rows;
  });
}

// std::system_error as OSError, so that Python sees FileNotFoundError and the like by errno.
void raise_os_error(std::exception_ptr thrown) {
  try {
    if (thrown) std::rethrow_exception(thrown);
  } catch (const std::system_error& error) {
    const bool has_errno = error.code().category() == std::generic_category();
    const std::string text = error.code().message();
    const py::tuple arguments = has_errno ? py::tuple(py::make_tuple(error.code().value(), text))
                                          : py::tuple(py::make_tuple(text));
    PyErr_SetObject(PyExc_OSError, arguments.ptr());
  }
}

}  // namespace

void cppasgi::bridge::define_module(py::module_& module) {
  if (init_interned() != 0 || init_messages() != 0 || init_completed() != 0 ||
      init_waiters() != 0 || init_application_calls() != 0 || init_client_disconnect() != 0 ||
      init_loop_bridge() != 0 || init_loop_handle() != 0) {
    throw py::error_already_set();
  }
  py::register_exception_translator(&raise_os_error);
  module.attr("__version__") = CPPASGI_VERSION;
  module.attr("ClientDisconnected") = py::handle(interned().client_disconnected);
  const auto loop_core = py::reinterpret_steal<py::object>(make_loop_core_type());
  if (!loop_core) throw py::error_already_set();
  module.attr("LoopCore") = loop_core;
  module.def("keep_freed_memory", &cppasgi::keep_freed_memory);
  define_process(module);
  define_options(module);
  define_server(module);
  define_line_writer(module);
  define_metrics(module);
}
