// Socket addresses of libuv handles as Address values.
#pragma once

#include <uv.h>

#include "server/base/address.h"

namespace cppasgi::net {

enum class Side { Local, Peer };

// The address of a TCP or pipe handle; with no host when the kernel doesn't say (the peer is gone).
Address address_of(const uv_handle_t& handle, Side side);

}  // namespace cppasgi::net
