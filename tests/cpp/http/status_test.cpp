// Reason phrases of status codes (RFC 9110 section 15).
#include "server/http/status.h"

#include "support/catch.h"

using cppasgi::http::reason_phrase;

TEST_CASE("reason_phrase: registered codes have theirs, others a stand-in (RFC 9110 15)",
          "[http]") {
  CHECK(reason_phrase(200) == "OK");
  CHECK(reason_phrase(304) == "Not Modified");
  CHECK(reason_phrase(413) == "Content Too Large");
  CHECK(reason_phrase(431) == "Request Header Fields Too Large");
  CHECK(reason_phrase(505) == "HTTP Version Not Supported");
  CHECK(reason_phrase(299) == "Unknown Status");
  CHECK(reason_phrase(0) == "Unknown Status");
}
