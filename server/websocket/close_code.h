// Close codes (RFC 6455 7.4 and the IANA registry): the ones this server sends itself, and which
// may stand in a close frame.
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

// May this code stand in a close frame, ours or the peer's (RFC 6455 7.4)? 1000 to 1003, 1007 to
// 1014, 3000 to 4999: the reserved 1004, the never sent 1005, 1006 and 1015 and everything
// unassigned are refused.
bool is_sendable_close_code(int code);

}  // namespace cppasgi::websocket
