#include "asgi_bridge/interpreter_end.h"

#if PY_VERSION_HEX < 0x030E0000

#include <unistd.h>

#include <csignal>
#include <memory>

// An entry in the C library's list of clean-ups at a thread's end. The macros of pthread.h need a
// block of their own on the stack, so the functions below them are called; glibc keeps those for
// old programs, and musl still uses them.
#ifdef __GLIBC__
using CleanUp = _pthread_cleanup_buffer;
#else
using CleanUp = __ptcb;
#endif
extern "C" void _pthread_cleanup_push(CleanUp*, void (*)(void*), void*);

namespace cppasgi::bridge::interpreter_end {

std::atomic<pthread_t> latest_thread{0};

namespace {

bool interpreter_ends() {
#if PY_VERSION_HEX < 0x030D0000
  return _Py_IsFinalizing() != 0;
#else
  return Py_IsFinalizing() != 0;
#endif
}

// pthread_exit() calls this first.
void on_thread_exit(void*) noexcept {
  if (!interpreter_ends()) return;  // the application ends the thread
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  for (;;) pause();
}

class HeldThread {
 public:
  // The entry is on the heap, because glibc runs such a clean-up before it unwinds the first frame.
  HeldThread() : clean_up_(std::make_unique<CleanUp>()) {
    _pthread_cleanup_push(clean_up_.get(), &on_thread_exit, nullptr);
  }
  ~HeldThread() {
    pthread_t self = pthread_self();
    latest_thread.compare_exchange_strong(self, 0);  // another thread may get its number
  }
  HeldThread(const HeldThread&) = delete;
  HeldThread& operator=(const HeldThread&) = delete;

 private:
  std::unique_ptr<CleanUp> clean_up_;
};

}  // namespace

void hold_thread() {
  thread_local const HeldThread held;
  latest_thread.store(pthread_self(), std::memory_order_relaxed);
}

}  // namespace cppasgi::bridge::interpreter_end

#endif
