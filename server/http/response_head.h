// The head of a response as an application gives it (RFC 9110 15): status and fields in order. It
// has views only, so the bytes must live until the call that takes the head returns. The protocol
// decides about the fields for framing and connection.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "server/http/request_head.h"
#include "server/http/syntax.h"

namespace cppasgi::http {

struct ResponseHead {
  int status = 200;
  std::vector<Field> fields;
  bool trailers = false;  // trailer fields follow the content; only to who accepts_trailers()
};

inline bool has_field(const std::vector<Field>& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(),
                     [name](const Field& field) { return equals_ignoring_case(field.name, name); });
}

}  // namespace cppasgi::http
