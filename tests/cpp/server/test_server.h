// A server with a recording application on a loop of its own, and clients in another thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "server/net/event_loop.h"
#include "server/server.h"
#include "support/fake_host.h"
#include "support/socket_client.h"
#include "support/test_application.h"

namespace cppasgi::test {

class TestServer {
 public:
  explicit TestServer(const ServerOptions& options = bare_options())
      : server(loop, application, options, log.fd()), address(server.bind_tcp("127.0.0.1", 0)) {
    server.start();
  }

  // Without the fields that a server adds, so that tests can write responses out.
  static ServerOptions bare_options() {
    ServerOptions options;
    options.server_header.clear();
    options.date_header = false;
    return options;
  }

  // Runs the loop while `client` runs in a thread. Only that thread may make assertions meanwhile.
  template <typename Client>
  void run(Client&& client) {
    std::atomic<bool> done = false;
    std::thread thread([&] {
      client();
      done = true;
    });
    net::Timer tick(loop, [&tick] { tick.start(kTick); });
    tick.start(kTick);
    while (!done) {
      loop.run_once();
      run_task();
      server.end_turn();
      server.finish_batch();
    }
    thread.join();
  }

  // By the client: runs `task` in the loop's thread, before the end of a batch, and waits for it.
  void in_loop(std::function<void()> task) {
    std::unique_lock lock(mutex_);
    task_ = std::move(task);
    task_done_.wait(lock, [this] { return !task_; });
  }
  // By the client: waits until `condition`, which is asked in the loop's thread; false when it
  // doesn't come true.
  bool wait_for(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    bool met = false;
    while (!met && std::chrono::steady_clock::now() < end) in_loop([&] { met = condition(); });
    return met;
  }

  net::EventLoop loop;
  TestApplication application;
  MemoryFile log;
  Server server;
  Address address;

 private:
  static constexpr std::chrono::milliseconds kTick{2};

  void run_task() {
    const std::scoped_lock lock(mutex_);
    if (!task_) return;
    task_();
    task_ = nullptr;
    task_done_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable task_done_;
  std::function<void()> task_;
};

}  // namespace cppasgi::test
