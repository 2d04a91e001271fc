// RequestHead: built in pieces, read as a whole, used again.
#include "server/http/request_head.h"

#include "support/catch.h"

using cppasgi::http::Field;
using cppasgi::http::RequestHead;

namespace {

void append_field(RequestHead& head, std::string_view name, std::string_view value) {
  head.begin_field();
  for (const char byte : name) head.append_field_name({&byte, 1});
  for (const char byte : value) head.append_field_value({&byte, 1});
  head.trim_field_value();
}

}  // namespace

TEST_CASE("RequestHead: parts come in pieces, names in lower case, values trimmed (RFC 9110 5.1)",
          "[http]") {
  RequestHead head;
  head.append_method("G");
  head.append_method("ET");
  head.append_target("/a");
  head.append_target("?B");
  append_field(head, "HOST", "X ");
  append_field(head, "Empty", "");
  append_field(head, "Blank", " \t");
  append_field(head, "@[`{Z", "V");
  CHECK(head.method() == "GET");
  CHECK(head.target() == "/a?B");
  REQUIRE(head.field_count() == 4);
  CHECK(head.field(0) == Field{"host", "X"});
  CHECK(head.field(1) == Field{"empty", ""});
  CHECK(head.field(2) == Field{"blank", ""});
  CHECK(head.field(3) == Field{"@[`{z", "V"});
}

TEST_CASE("RequestHead: find gives the first field of a name, count all (RFC 9110 5.2)", "[http]") {
  RequestHead head;
  append_field(head, "a", "1");
  append_field(head, "B", "2");
  append_field(head, "A", "3");
  append_field(head, "c", "");
  CHECK(head.find("a") == "1");
  CHECK(head.count("a") == 2);
  CHECK(head.count("b") == 1);
  CHECK(head.find("c").data() != nullptr);
  CHECK(head.find("d").data() == nullptr);
  CHECK(head.count("d") == 0);
}

TEST_CASE("RequestHead: clear forgets everything, also of a large head", "[http]") {
  RequestHead head;
  for (const std::size_t size : {std::size_t{10}, std::size_t{100'000}}) {
    head.append_method("POST");
    head.append_target(std::string(size, 't'));
    append_field(head, "a", "1");
    head.version = cppasgi::http::Version::Http10;
    head.clear();
    CHECK(head.method().empty());
    CHECK(head.target().empty());
    CHECK(head.field_count() == 0);
    CHECK(head.version == cppasgi::http::Version::Http11);
  }
}
