// Close codes (RFC 6455 7.4 and the IANA registry): those that the server itself sends, and which
// codes a close frame may have.
#pragma once

#include <cstdint>

namespace cppasgi::websocket {

inline constexpr std::uint16_t kProtocolErrorCode = 1002;
inline constexpr std::uint16_t kNoStatusCode =
    1005;  // "the close frame had none"; never on the wire
inline constexpr std::uint16_t kInvalidPayloadCode = 1007;
inline constexpr std::uint16_t kPolicyViolationCode = 1008;
inline constexpr std::uint16_t kMessageTooBigCode = 1009;
inline constexpr std::uint16_t kTryAgainLaterCode = 1013;

// Whether a close frame, ours or the peer's, may have this code (RFC 6455 7.4): 1000 to 1003, 1007
// to 1014, and 3000 to 4999. That excludes 1004, which is reserved, 1005, 1006 and 1015, which are
// never sent, and all unassigned codes.
bool is_sendable_close_code(int code);

}  // namespace cppasgi::websocket
