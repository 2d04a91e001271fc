// cppasgi._native.Server: a server of the core and its application in an asyncio loop. It joins
// these three, and decides when a batch ends. Loop thread, with the GIL.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "asgi_bridge/asgi_application.h"
#include "asgi_bridge/loop_bridge.h"
#include "server/net/event_loop.h"
#include "server/options.h"
#include "server/server.h"

namespace cppasgi::bridge {

struct AsgiServerOptions {
  ServerOptions server;
  std::string root_path;
  int access_log_fd = -1;
  bool plain_tasks = false;         // see TaskStarter
  bool sends_files = false;         // see AsgiApplication::set_sends_files()
  bool finishes_responses = false;  // see AsgiApplication::set_finishes_responses()
  // See AsgiApplication::set_patience().
  std::chrono::milliseconds after_disconnect_timeout{60'000};
};

class AsgiServer {
 public:
  // Makes a server that is attached to `loop`; throws pybind11::error_already_set on failure.
  // `served` is a Python function that tells what a frame serves.
  static std::unique_ptr<AsgiServer> create(pybind11::object application, pybind11::object loop,
                                            const AsgiServerOptions& options,
                                            pybind11::object served);
  // Visits what this owns, for the garbage collector; clear() closes the server and drops that.
  int traverse(visitproc visit, void* arg) const;
  void clear();
  ~AsgiServer();
  AsgiServer(const AsgiServer&) = delete;
  AsgiServer& operator=(const AsgiServer&) = delete;

  Address bind_fd(int fd, const ListenerOptions& options);
  // `self` is the Python object that owns this.
  void start(const pybind11::object& self, const pybind11::object& state);
  InProgress drain(pybind11::object on_drained, ShutdownReason reason,
                   std::chrono::milliseconds window);
  void cut_short();
  std::size_t cancel_applications();
  pybind11::list overdue_applications(double timeout_seconds);
  void close();
  // To be called in a forked child: lets go of everything, which stays the parent's. close() does
  // the same if it is called in another process than the one that made the server.
  void disown();
  std::size_t connections() const { return server_.connections(); }
  std::size_t running_applications() const { return application_.running(); }
  // Writes a byte into `fd`, which stays open, at the end of the batch in which so many requests
  // have been answered.
  void tell_after(std::uint64_t requests, int fd);
  void note_heartbeat(double lag_seconds, double gil_wait_seconds, std::uint64_t dropped_lines);

 private:
  AsgiServer(PyObject* application, PyObject* loop, const AsgiServerOptions& options);

  bool on_tick();
  bool on_soon();
  void batch_needed();
  void finish_batch();
  bool report_drained();

  net::EventLoop event_loop_;
  AsgiApplication application_;
  Server server_;
  LoopBridge loop_bridge_;
  PythonRef on_drained_;
  bool in_batch_ = false;
  bool writes_now_ = false;  // the only response of a batch is being written: nothing is put off
  bool closed_ = false;
  const int process_;
};

}  // namespace cppasgi::bridge
