// Any bytes are a request stream or a ProtocolError, never anything else, and the same however they
// are cut (RFC 9112). The input is the raw stream, so the corpus is plain requests; how to cut it
// follows from a hash of it.
#include <cstdint>
#include <cstdio>
#include <set>
#include <string>

#include "require.h"
#include "server/http/syntax.h"
#include "server/http/target.h"
#include "support/http1_log.h"

namespace {

using cppasgi::HttpLimits;
using cppasgi::http1::Http1Protocol;
using cppasgi::test::Pieces;
using cppasgi::test::require;

void check_head(const cppasgi::http::RequestHead& head, const HttpLimits& limits) {
  namespace http = cppasgi::http;
  require(http::is_token(head.method()), "the method is a token");
  require(!head.target().empty() && head.target().size() <= limits.max_target_bytes,
          "the target fits");
  for (const char byte : head.target())
    require(byte > 0x20 && byte < 0x7f, "the target is visible ASCII");
  require(!http::split_target(head.target()).raw_path.empty(), "there is a path");
  require(head.field_count() <= limits.max_header_count, "the fields fit");
  std::size_t field_bytes = 0;
  for (std::size_t index = 0; index < head.field_count(); ++index) {
    const auto [name, value] = head.field(index);
    field_bytes += name.size() + value.size();
    require(http::is_token(name), "a field name is a token");
    for (const char byte : name) require(byte < 'A' || byte > 'Z', "a field name is in lower case");
    require(http::is_field_value(value), "a field value has no control characters");
    require(http::trim(value) == value, "a field value has no blanks around it");
  }
  require(field_bytes <= limits.max_header_bytes, "the header section fits");
  const std::size_t host_count = head.count("host");
  require(host_count == 1 || (host_count == 0 && head.version == http::Version::Http10),
          "one Host");
  require(head.count("content-length") + head.count("transfer-encoding") <= 1,
          "one way of framing");
}

void check_events(Http1Protocol& protocol, const HttpLimits& limits) {
  static const std::set<int> kStatuses = {400, 414, 417, 431, 501, 505};
  for (const cppasgi::http1::Event& event : protocol.events()) {
    if (std::holds_alternative<cppasgi::http1::RequestReceived>(event))
      check_head(protocol.request(), limits);
    if (const auto* error = std::get_if<cppasgi::http1::ProtocolError>(&event)) {
      require(kStatuses.contains(error->status), "a refusal has one of its statuses");
      require(&event == &protocol.events().back(), "nothing follows a ProtocolError");
    }
  }
}

std::string run(const Pieces& pieces, const HttpLimits& limits) {
  Http1Protocol protocol(limits);
  cppasgi::test::Http1Log log;
  const auto after = [&](Http1Protocol& from) {
    check_events(from, limits);
    log.add(from);
  };
  bool wholly_read = true;
  for (const std::string_view piece : pieces) {
    if (wholly_read) wholly_read = cppasgi::test::feed(protocol, piece, after) == piece.size();
  }
  log.end(protocol);
  return log.text();
}

Pieces cut(std::string_view text) {
  std::uint32_t random = 2166136261U;
  for (const char byte : text) random = (random ^ static_cast<unsigned char>(byte)) * 16777619U;
  Pieces pieces;
  while (!text.empty()) {
    random = random * 1664525U + 1013904223U;
    // Mostly a few bytes, sometimes many.
    const std::size_t size = 1 + (random >> 24) % (random & 0x10000U ? 4 : 64);
    pieces.push_back(text.substr(0, size));
    text.remove_prefix(pieces.back().size());
  }
  return pieces;
}

void check_splits(std::string_view stream, const HttpLimits& limits) {
  const std::string whole = run({stream}, limits);
  const std::string in_pieces = run(cut(stream), limits);
  if (whole == in_pieces) return;
  std::fprintf(stderr, "whole:\n%s\nin pieces:\n%s\n", whole.c_str(), in_pieces.c_str());
  require(false, "the events don't depend on how the stream is cut");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  check_splits(stream, HttpLimits());
  check_splits(stream, {.max_target_bytes = 16, .max_header_bytes = 64, .max_header_count = 4});
  return 0;
}
