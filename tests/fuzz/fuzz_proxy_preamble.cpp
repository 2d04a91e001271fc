// PROXY preambles (server/proxy_protocol): however the bytes are cut, the same comes out; a
// preamble doesn't take more bytes than there are, and what follows it changes nothing.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "require.h"
#include "server/proxy_protocol/preamble.h"

using namespace cppasgi::proxy_protocol;

namespace {

using cppasgi::test::require;

bool same(const Preamble& a, const Preamble& b) {
  return a.size == b.size && a.names_client == b.names_client && a.client == b.client &&
         a.server == b.server && a.secure == b.secure;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = read_preamble(bytes);
  const Preamble* preamble = std::get_if<Preamble>(&whole);
  if (preamble != nullptr) {
    require(preamble->size <= size && preamble->size <= kMostBytes, "a preamble is in its bytes");
    const auto alone = read_preamble(bytes.substr(0, preamble->size));
    require(std::holds_alternative<Preamble>(alone) && same(std::get<Preamble>(alone), *preamble),
            "what follows a preamble changes nothing");
  }
  // Before the end it is incomplete, or broken for good.
  bool broken = false;
  for (std::size_t end = 1; end < size; end += 1 + end / 8) {
    const auto part = read_preamble(bytes.substr(0, end));
    if (broken) require(std::holds_alternative<Broken>(part), "what is broken stays so");
    broken = std::holds_alternative<Broken>(part);
    if (preamble != nullptr)
      require(std::holds_alternative<Preamble>(part) == (end >= preamble->size),
              "a preamble is complete with its last byte");
  }
  if (broken) require(std::holds_alternative<Broken>(whole), "what is broken stays so");
  return 0;
}
