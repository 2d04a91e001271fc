// Converts socket addresses to Address values.
#pragma once

#include <sys/socket.h>

#include <uv.h>

#include "server/base/address.h"

namespace cppasgi::net {

// Reads what the kernel has written into `storage`: an address of IPv4, IPv6 or a Unix socket.
Address to_address(const sockaddr_storage& storage, socklen_t size);

// Returns the address of this end of a TCP or pipe handle; it has no host when the kernel doesn't
// say.
Address local_address(const uv_handle_t& handle);

}  // namespace cppasgi::net
