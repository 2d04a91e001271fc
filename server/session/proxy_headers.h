// What reverse proxies say of the client they serve: X-Forwarded-For, -Port and -Proto, or
// Forwarded (RFC 7239). Each proxy adds the address it was reached from at the end of the list, so
// the list is read from there for as long as it names trusted proxies; what stands before is the
// client's own word.
#pragma once

#include "server/application.h"
#include "server/http/request_head.h"
#include "server/options.h"
#include "server/session/trusted_proxies.h"

namespace cppasgi::session {

// Returns `connection`, whose client is a trusted proxy, with the address of the last client in the
// list that isn't one (the first in it if all are), and https or wss as the entry of that client
// says. Forwarded is read if it is the address field: a proxy that doesn't know it passes on what a
// client put there. Without a list nothing changes, as with Daphne; without a usable port the port
// is 0.
ConnectionInfo forwarded_connection(const http::RequestHead& head, const ProxyHeaders& names,
                                    const TrustedProxies& trusted,
                                    const ConnectionInfo& connection);

}  // namespace cppasgi::session
