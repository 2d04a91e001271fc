// Starts the threads that watch over a process. They block all signals, which other threads are to
// handle.
#pragma once

#include <csignal>
#include <pthread.h>
#include <thread>
#include <utility>

namespace cppasgi {

// Runs `body` in a detached thread. Throws std::system_error if it can't be started.
template <typename Body>
void start_unsignalled_thread(Body&& body) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread(std::forward<Body>(body)).detach();
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace cppasgi
