// libuv's negative error numbers as std::error_code and, for the operator at start-up, as
// std::system_error.
#pragma once

#include <system_error>

namespace cppasgi::net {

// `status` is a negative libuv result; those are errno values negated, but for a few of its own
// (EAI_*).
std::error_code to_error_code(int status);

// Throws std::system_error when `status` is negative; `what` names the failed step.
void check_start(int status, const char* what);

}  // namespace cppasgi::net
