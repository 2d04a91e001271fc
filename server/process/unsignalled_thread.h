// A thread that takes no signals: they are for those who have handlers. For the threads that watch
// over a process.
#pragma once

#include <csignal>
#include <pthread.h>
#include <thread>
#include <utility>

namespace cppasgi {

// Runs `body` in a thread that nobody waits for. Throws std::system_error when there can be none.
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
