// Empties a container and frees its memory. Assigning an empty container doesn't: libstdc++ then
// keeps the block.
#pragma once

namespace cppasgi {

template <typename Container>
void release(Container& container) {
  Container().swap(container);
}

}  // namespace cppasgi
