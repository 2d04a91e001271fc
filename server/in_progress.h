// What a server that begins to drain has to wait for.
#pragma once

#include <cstddef>

namespace cppasgi {

struct InProgress {
  std::size_t responses = 0;
  std::size_t event_streams = 0;
  std::size_t websockets = 0;

  void operator+=(const InProgress& other) {
    responses += other.responses;
    event_streams += other.event_streams;
    websockets += other.websockets;
  }
};

}  // namespace cppasgi
