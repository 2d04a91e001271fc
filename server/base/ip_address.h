// Reads numeric IP addresses out of text that anybody may have written.
#pragma once

#include <string_view>

namespace cppasgi {

// Writes the 4 or 16 bytes of an address of `family`, AF_INET or AF_INET6, to `bytes`. False if the
// whole of `text` isn't one.
bool read_ip_address(int family, std::string_view text, unsigned char* bytes);

}  // namespace cppasgi
