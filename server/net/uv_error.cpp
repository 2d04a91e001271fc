#include "server/net/uv_error.h"

#include <string>

#include <uv.h>

namespace cppasgi::net {

namespace {

class UvCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "uv"; }
  std::string message(int status) const override { return uv_strerror(status); }
};

// libuv's own errors (of the resolver, and unknown ones) have numbers far below those of errno.
constexpr int kFirstOwnError = -3000;

}  // namespace

std::error_code to_error_code(int status) {
  static const UvCategory category;
  if (status > kFirstOwnError) return {-status, std::generic_category()};
  return {status, category};
}

void check_start(int status, const char* what) {
  if (status < 0) throw std::system_error(to_error_code(status), what);
}

}  // namespace cppasgi::net
