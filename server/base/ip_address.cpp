#include "server/base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace cppasgi {

// inet_pton() reads up to a zero byte, and what stands behind one must not be passed over.
bool read_ip_address(int family, std::string_view text, unsigned char* bytes) {
  std::array<char, INET6_ADDRSTRLEN + 1> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) return false;
  std::copy(text.begin(), text.end(), terminated.begin());
  return inet_pton(family, terminated.data(), bytes) == 1;
}

}  // namespace cppasgi
