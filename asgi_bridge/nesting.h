// Detects event loops that run inside one of their own callbacks, for which nest_asyncio patches
// asyncio, at any time. Python can't enter a context twice. If a callback of ours stepped a task of
// the application and that task ran the loop again, no callback of ours could be called meanwhile.
// That is why the loop steps all tasks once asyncio is patched.
#pragma once

#include <Python.h>

#include "asgi_bridge/interned.h"

namespace cppasgi::bridge {

namespace nesting {
inline bool patched = false;  // once true, it stays so
}  // namespace nesting

// Looks whether asyncio was patched. Called once in a tick, because a look at each wake-up would
// take a hundredth of the time of a WebSocket message. Never raises.
inline void look_for_nesting() {
  nesting::patched =
      nesting::patched ||
      PyDict_GetItemWithError(interned().asyncio_names, interned().nest_patched) != nullptr;
}

// Whether loops may run inside themselves.
inline bool loops_nest() { return nesting::patched; }

}  // namespace cppasgi::bridge
