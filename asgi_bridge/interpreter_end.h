// Protects threads that want the GIL while the interpreter ends. CPython before 3.14 ends such a
// thread by pthread_exit(): the C library then unwinds its stack through our frames, which are
// noexcept, and runs their destructors, which use Python without the GIL. From 3.14 on such a
// thread is blocked for ever instead, and hold_at_interpreter_end() has the same effect with older
// versions.
#pragma once

#include <Python.h>

#include <atomic>
#include <pthread.h>

namespace cppasgi::bridge {

namespace interpreter_end {

#if PY_VERSION_HEX < 0x030E0000
// The thread that was latest to be protected; 0 for none.
extern std::atomic<pthread_t> latest_thread;
void hold_thread();
#endif

}  // namespace interpreter_end

// To be called wherever Python enters our code, before code of the application can run below a
// frame of ours. Threads other than the loop's come that way too: the garbage collector, for one,
// frees objects in any thread.
inline void hold_at_interpreter_end() {
#if PY_VERSION_HEX < 0x030E0000
  using namespace interpreter_end;
  if (pthread_self() != latest_thread.load(std::memory_order_relaxed)) hold_thread();
#endif
}

}  // namespace cppasgi::bridge
