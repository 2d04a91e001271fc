// Feeds bytes to sans-IO protocol objects, whole and in pieces. Each piece is copied to a block of
// its own size, so that a sanitizer sees a read past its end and a use of it after the call.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cppasgi::test {

using Pieces = std::vector<std::string_view>;

// Calls `function` with `text` whole, cut in two at every place, and in pieces of 1, 2, 3, 5 and 7
// bytes.
template <typename Function>
void for_every_split(std::string_view text, Function&& function) {
  function(Pieces{text});
  for (std::size_t cut = 1; cut < text.size(); ++cut)
    function(Pieces{text.substr(0, cut), text.substr(cut)});
  for (const std::size_t size : {1, 2, 3, 5, 7}) {
    Pieces pieces;
    for (std::size_t begin = 0; begin < text.size(); begin += size)
      pieces.push_back(text.substr(begin, size));
    function(pieces);
  }
}

// Hands `piece` to `protocol` until it is used up or the protocol takes no more of it, with
// `after(protocol)` after each call, which looks at the events and may make the protocol go on.
// Returns what was consumed.
template <typename Protocol, typename After>
std::size_t feed(Protocol& protocol, std::string_view piece, After&& after) {
  std::size_t consumed = 0;
  while (consumed < piece.size()) {
    const std::vector<char> copy(piece.begin() + static_cast<std::ptrdiff_t>(consumed),
                                 piece.end());
    const std::size_t step = protocol.receive_data({copy.data(), copy.size()});
    after(protocol);
    if (step == 0 && !protocol.events().empty()) continue;
    if (step == 0) break;
    consumed += step;
  }
  return consumed;
}

}  // namespace cppasgi::test
