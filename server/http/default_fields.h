// The fields that the server adds to responses: who sets them and who writes them (Server's
// default_fields() and http1::ResponseSerializer) have them from here.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace cppasgi::http {

// Fields added to every final response that lacks them. Empty means none.
struct DefaultFields {
  std::string_view date;    // the value of Date
  std::string_view server;  // the value of Server
  // Names and values of an operator's own.
  std::span<const std::pair<std::string, std::string>> others = {};
  bool as_daphne = false;  // the request's version in the status line, and no Content-Length
                           // but the application's
};

}  // namespace cppasgi::http
