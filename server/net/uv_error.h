// Converts libuv's negative error numbers to std::error_code, and to std::system_error for failures
// at start-up.
#pragma once

#include <system_error>

namespace cppasgi::net {

// `status` is a negative libuv result; those are errno values negated, but for a few of its own
// (EAI_*).
std::error_code to_error_code(int status);

// Throws std::system_error when `status` is negative; `what` names the failed step.
void check_start(int status, const char* what);

}  // namespace cppasgi::net
