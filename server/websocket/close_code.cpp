// The table of RFC 6455 7.4.1 and 7.4.2, with 1012 to 1014 of the IANA registry. No state, any
// thread.
#include "server/websocket/close_code.h"

namespace cppasgi::websocket {

bool is_sendable_close_code(int code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

}  // namespace cppasgi::websocket
