// RFC 7692 7.1 as a table: offers of a client, which of them count, and the answers in each mode.
#include "server/websocket/deflate_offer.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.h"

using namespace cppasgi;
using namespace cppasgi::websocket;

namespace {

// The first valid offer, written as an answer would be; "none"; or "malformed".
std::string read(std::string_view field) {
  std::optional<DeflateParameters> offer;
  if (!read_extensions(field, offer)) return "malformed";
  return offer ? extension_field(*offer) : "none";
}

std::string answer(std::string_view field, const WebSocketDeflate& options, Takeover allowed) {
  std::optional<DeflateParameters> offer;
  REQUIRE(read_extensions(field, offer));
  return extension_field(answer_offer(offer.value(), options, allowed));
}

struct Rule {
  std::string_view field;
  std::string_view expected;
};

const std::string kPlain = "permessage-deflate";

}  // namespace

TEST_CASE("read_extensions: the parameters of an offer (RFC 7692 7.1)", "[websocket][deflate]") {
  const auto [field, expected] = GENERATE(values<Rule>({
      {"permessage-deflate", "permessage-deflate"},
      {"permessage-deflate; client_max_window_bits",
       "permessage-deflate; client_max_window_bits=15"},
      {"permessage-deflate;client_max_window_bits=8",
       "permessage-deflate; client_max_window_bits=8"},
      {"permessage-deflate ; server_max_window_bits = 10 ",
       "permessage-deflate; server_max_window_bits=10"},
      {"permessage-deflate; server_max_window_bits=\"12\"",
       "permessage-deflate; server_max_window_bits=12"},
      {"permessage-deflate; server_max_window_bits=\"\\1\\5\"",
       "permessage-deflate; server_max_window_bits=15"},
      {"permessage-deflate; client_no_context_takeover; server_no_context_takeover",
       "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
  }));
  CAPTURE(field);
  CHECK(read(field) == expected);
}

TEST_CASE("read_extensions: an offer with an invalid parameter is declined (RFC 7692 7.1)",
          "[websocket][deflate]") {
  const std::string parameter = GENERATE(
      "unknown", "unknown=1", "server_no_context_takeover=1", "client_no_context_takeover=true",
      "server_max_window_bits", "server_max_window_bits=7", "server_max_window_bits=16",
      "server_max_window_bits=09", "server_max_window_bits=1", "server_max_window_bits=100",
      "client_max_window_bits=7", "client_max_window_bits=16", "client_max_window_bits=0x9",
      "client_max_window_bits=9; client_max_window_bits=9",
      "client_max_window_bits; client_max_window_bits",
      "server_max_window_bits=9; server_max_window_bits=10",
      "server_no_context_takeover; server_no_context_takeover",
      "client_no_context_takeover; client_no_context_takeover", "Server_No_Context_Takeover",
      "server_max_window_bits=8");  // the last is valid, but zlib can't
  CAPTURE(parameter);
  const std::string bad = kPlain + "; " + parameter;
  CHECK(read(bad) == "none");
  CHECK(read(bad + ", " + kPlain + "; server_max_window_bits=9") ==
        kPlain + "; server_max_window_bits=9");
}

TEST_CASE("read_extensions: the first valid offer counts, of one field or several (RFC 7692 5)",
          "[websocket][deflate]") {
  CHECK(read("x-webkit-deflate-frame, permessage-deflate") == kPlain);
  CHECK(read("permessage-bzip2; a=\"b\", permessage-deflate; server_no_context_takeover, "
             "permessage-deflate") == kPlain + "; server_no_context_takeover");
  CHECK(read(", ,permessage-deflate,,") == kPlain);
  CHECK(read("") == "none");
  CHECK(read("Permessage-Deflate") == "none");
  std::optional<DeflateParameters> offer;
  CHECK(read_extensions("foo", offer));
  CHECK(read_extensions("permessage-deflate; client_no_context_takeover", offer));
  CHECK(read_extensions("permessage-deflate", offer));
  CHECK(offer.value().client_no_context_takeover);
}

TEST_CASE("read_extensions: what isn't a list of extensions is malformed (RFC 6455 9.1)",
          "[websocket][deflate]") {
  const std::string field =
      GENERATE(";", "permessage-deflate;", "permessage-deflate; ;a", "permessage-deflate; =9",
               "permessage-deflate; a=", "permessage-deflate; a=\"", "permessage-deflate; a=\"1",
               "permessage-deflate; a=\"\"", "permessage-deflate; a=\"b c\"",
               "permessage-deflate; a=\"b\\", "permessage-deflate; a=\"b\"c",
               "permessage-deflate foo", "permessage-deflate=1", "(a)", "a, \"b\"");
  CAPTURE(field);
  CHECK(read(field) == "malformed");
  CHECK(read("permessage-deflate, " + field) == "malformed");
}

TEST_CASE("answer_offer: without takeover both sides are told so, and the server's window is kept",
          "[websocket][deflate]") {
  const WebSocketDeflate options{.window_bits = 13};
  const std::string none = kPlain + "; server_no_context_takeover; client_no_context_takeover";
  CHECK(answer(kPlain, options, Takeover::No) == none);
  CHECK(answer(kPlain + "; client_max_window_bits", options, Takeover::No) == none);
  CHECK(answer(kPlain + "; client_max_window_bits=10", options, Takeover::No) == none);
  CHECK(answer(kPlain + "; server_max_window_bits=10", options, Takeover::No) ==
        none + "; server_max_window_bits=10");
  CHECK(answer(kPlain + "; server_max_window_bits=15", options, Takeover::No) ==
        none + "; server_max_window_bits=13");
}

TEST_CASE("answer_offer: with takeover each side has it unless the client declines (RFC 7692 7.1)",
          "[websocket][deflate]") {
  const WebSocketDeflate options{.window_bits = 13};
  CHECK(answer(kPlain, options, Takeover::Yes) == kPlain);
  for (const std::string parameter :
       {"; server_no_context_takeover", "; client_no_context_takeover",
        "; client_max_window_bits=10", "; server_max_window_bits=9"})
    CHECK(answer(kPlain + parameter, options, Takeover::Yes) == kPlain + parameter);
  CHECK(answer(kPlain + "; client_max_window_bits", options, Takeover::Yes) ==
        kPlain + "; client_max_window_bits=13");
  CHECK(answer(kPlain + "; client_no_context_takeover; client_max_window_bits", options,
               Takeover::Yes) == kPlain + "; client_no_context_takeover");
}
