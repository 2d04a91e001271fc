// What a server that begins to drain has to wait for.
#pragma once

#include <cstddef>

namespace cppasgi {

struct InProgress {
  std::size_t responses = 0;
  std::size_t event_streams = 0;
  std::size_t websockets = 0;
};

}  // namespace cppasgi
