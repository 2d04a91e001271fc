// Gives a container's memory back. Assigning an empty one doesn't: libstdc++ keeps the block (the
// string's short form is copied, a vector's {} is an empty list of elements).
#pragma once

namespace cppasgi {

template <typename Container>
void release(Container& container) {
  Container().swap(container);
}

}  // namespace cppasgi
