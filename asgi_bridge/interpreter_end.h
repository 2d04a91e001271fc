// What becomes of a thread that asks for the interpreter while that ends. CPython before 3.14 has
// pthread_exit() end it: the C library then unwinds its stack through our frames, which may not
// throw, and runs their destructors, which use Python without the GIL. From 3.14 on such a thread
// stays where it is, for ever. hold_at_interpreter_end() makes it so for all versions.
#pragma once

#include <Python.h>

#include <atomic>
#include <pthread.h>

namespace cppasgi::bridge {

namespace interpreter_end {

#if PY_VERSION_HEX < 0x030E0000
// The latest of the threads that are held; 0 for none.
extern std::atomic<pthread_t> latest_thread;
void hold_thread();
#endif

}  // namespace interpreter_end

// To be called where Python enters our code, before any code of the application can run under a
// frame of ours: in the loop's thread, and wherever else other threads may come from. That is also
// wherever objects are freed, as the garbage collector runs in any thread.
inline void hold_at_interpreter_end() {
#if PY_VERSION_HEX < 0x030E0000
  using namespace interpreter_end;
  if (pthread_self() != latest_thread.load(std::memory_order_relaxed)) hold_thread();
#endif
}

}  // namespace cppasgi::bridge
