// Event loops that run inside one of their own callbacks: nest_asyncio patches asyncio for that, at
// any time. Python calls no function whose context is entered already, so that what the loop calls
// must not step the application's tasks then: while one of them ran the loop again, nothing of the
// server's could be called.
#pragma once

#include <Python.h>

#include "asgi_bridge/interned.h"

namespace cppasgi::bridge {

namespace nesting {
inline bool patched = false;  // for good
}  // namespace nesting

// Looks whether asyncio was patched. Once in a tick: a look at each wake-up would take a hundredth
// of what a WebSocket message does. Never raises.
inline void look_for_nesting() {
  nesting::patched =
      nesting::patched ||
      PyDict_GetItemWithError(interned().asyncio_names, interned().nest_patched) != nullptr;
}

// May the process's loops run inside themselves?
inline bool loops_nest() { return nesting::patched; }

}  // namespace cppasgi::bridge
