// Which clients take trailers, and which fields may be among them (RFC 9110 6.5.1, 10.1.4).
#include "server/http/trailers.h"

#include <string>

#include "support/catch.h"

using namespace cppasgi::http;

namespace {

RequestHead head_with(const std::vector<Field>& fields) {
  RequestHead head;
  for (const Field& field : fields) {
    head.begin_field();
    head.append_field_name(field.name);
    head.append_field_value(field.value);
  }
  return head;
}

}  // namespace

TEST_CASE("trailers: a client that says TE: trailers takes them, in HTTP/1.1 only", "[http]") {
  CHECK(accepts_trailers(head_with({{"TE", "trailers"}})));
  CHECK(accepts_trailers(head_with({{"TE", "gzip;q=0.5, Trailers"}})));
  CHECK(accepts_trailers(head_with({{"TE", "gzip"}, {"TE", "trailers"}})));
  CHECK_FALSE(accepts_trailers(head_with({})));
  CHECK_FALSE(accepts_trailers(head_with({{"TE", ""}})));
  CHECK_FALSE(accepts_trailers(head_with({{"TE", "trailersx, x-trailers"}})));
  CHECK_FALSE(accepts_trailers(head_with({{"Trailer", "trailers"}})));
  RequestHead old = head_with({{"TE", "trailers"}});
  old.version = Version::Http10;
  CHECK_FALSE(accepts_trailers(old));
}

TEST_CASE("trailers: fields that change how a message is read can't be trailers", "[http]") {
  for (const char* name :
       {"Transfer-Encoding", "content-length", "HOST", "Trailer", "Content-Type",
        "Content-Encoding", "content-range", "Set-Cookie", "WWW-Authenticate", "Authorization",
        "Cache-Control", "Date", "Vary", "Location", "If-Match", "TE", "Connection"}) {
    CHECK_FALSE(is_trailer_name(name));
  }
  for (const char* name : {"Server-Timing", "Digest", "ETag", "grpc-status", "x-date", "Dates"}) {
    CHECK(is_trailer_name(name));
  }
}
