// The rules that join request and response on one connection, and the limits (RFC 9112). Syntax is
// in request_parser_test.cpp.
#include "server/http1/http1_protocol.h"

#include <string>

#include "support/catch.h"
#include "support/http1_log.h"

using namespace cppasgi;
using namespace cppasgi::http1;
using cppasgi::test::Pieces;

namespace {

constexpr HttpLimits kLimits;
const std::string kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string kPost = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n";
const std::string kExpecting =
    "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";

std::string repeat(std::string_view text, std::size_t times) {
  std::string repeated;
  for (std::size_t count = 0; count < times; ++count) repeated += text;
  return repeated;
}

// Every split gives this log.
void check_log(const std::string& input, const HttpLimits& limits, const std::string& log) {
  test::for_every_split(input, [&](const Pieces& pieces) {
    const std::string got = test::log_requests(pieces, limits);
    if (got != log) CHECK(got == log);  // not one assertion for each split
  });
  CHECK(test::log_requests({input}, limits) == log);
}

void respond(Http1Protocol& protocol) {
  protocol.send_head({200, {}}, {});
  CHECK(protocol.send_content("ok", More::No) == SendStatus::Sent);
}

}  // namespace

TEST_CASE("Http1Protocol: a target beyond the limit is 414 (RFC 9112 3)", "[http1][limits]") {
  const HttpLimits limits{.max_target_bytes = 20, .max_header_bytes = 100, .max_header_count = 3};
  std::string fits(20, 'a');
  fits[0] = '/';
  check_log("GET " + fits + " HTTP/1.1\r\nHost: x\r\n\r\n", limits,
            "request GET " + fits + " HTTP/1.1\nhost: x\nend, keep-alive\n");
  check_log("GET " + fits + "a HTTP/1.1\r\nHost: x\r\n\r\n", limits,
            "error 414: request target too long\n");
  check_log("GET /" + std::string(500, 'a'), limits, "error 414: request target too long\n");
  check_log("GET" + std::string(500, ' '), limits, "error 414: request target too long\n");
}

TEST_CASE("Http1Protocol: field lines beyond the limit are 431 (RFC 6585 5)", "[http1][limits]") {
  const HttpLimits limits{.max_target_bytes = 20, .max_header_bytes = 100, .max_header_count = 3};
  const std::string start = "GET / HTTP/1.1\r\nHost: x\r\n";  // 9 bytes of field lines
  const std::string value(86, 'v');                           // and 5 of "A", ": " and CRLF
  check_log(start + "A: " + value + "\r\n\r\n", limits,
            "request GET / HTTP/1.1\nhost: x\na: " + value + "\nend, keep-alive\n");
  check_log(start + "A: " + value + "v\r\n\r\n", limits, "error 431: header section too large\n");
  check_log(start + "A: " + std::string(500, 'v'), limits, "error 431: header section too large\n");
  check_log(start + "A:" + std::string(500, ' '), limits, "error 431: header section too large\n");
  check_log(start + std::string(500, 'n'), limits, "error 431: header section too large\n");
}

TEST_CASE("Http1Protocol: more fields than the limit are 431 (RFC 6585 5)", "[http1][limits]") {
  const HttpLimits limits{.max_target_bytes = 20, .max_header_bytes = 100, .max_header_count = 3};
  const std::string start = "GET / HTTP/1.1\r\nHost: x\r\nA:\r\nB:\r\n";
  check_log(start + "\r\n", limits, "request GET / HTTP/1.1\nhost: x\na:\nb:\nend, keep-alive\n");
  check_log(start + "C:\r\n\r\n", limits, "error 431: too many header fields\n");
  check_log(start + "C\x01:\r\n\r\n", limits, "error 400: malformed header field\n");
}

TEST_CASE("Http1Protocol: the default limits let a usual head through and no more",
          "[http1][limits]") {
  const std::string start = "GET / HTTP/1.1\r\nHost: x\r\n";
  CHECK(test::log_requests({start + repeat("A: b\r\n", 127) + "\r\n"}, kLimits)
            .ends_with("end, keep-alive\n"));
  CHECK(test::log_requests({start + repeat("A: b\r\n", 128) + "\r\n"}, kLimits) ==
        "error 431: too many header fields\n");
  CHECK(test::log_requests({start + "A: " + std::string(64 * 1024, 'v') + "\r\n\r\n"}, kLimits) ==
        "error 431: header section too large\n");
}

TEST_CASE("Http1Protocol: chunk extensions and trailers are limited (RFC 9112 7.1.1, 7.1.2)",
          "[http1][limits]") {
  const HttpLimits limits{.max_target_bytes = 20, .max_header_bytes = 100, .max_header_count = 3};
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string head = "request POST / HTTP/1.1\nhost: x\ntransfer-encoding: chunked\n";
  check_log(start + "1;" + std::string(512, 'e') + "\r\na\r\n1;" + std::string(512, 'e') +
                "\r\nb\r\n0\r\n\r\n",
            limits, head + "content: ab\nend, keep-alive\n");
  check_log(start + "1;" + std::string(513, 'e') + "\r\na\r\n0\r\n\r\n", limits,
            head + "error 400: malformed chunked content\n");
  check_log(start + "0\r\nA: " + std::string(99, 't') + "\r\n\r\n", limits,
            head + "end, keep-alive\n");
  check_log(start + "0\r\nA: " + std::string(100, 't') + "\r\n\r\n", limits,
            head + "error 400: malformed chunked content\n");
  check_log(start + "0\r\n" + repeat("A: b\r\n", 51) + "\r\n", limits,
            head + "error 400: malformed chunked content\n");
}

TEST_CASE("Http1Protocol: nothing is consumed after the end of a request (RFC 9112 9.3.2)",
          "[http1]") {
  Http1Protocol protocol(kLimits);
  CHECK(protocol.between_requests());
  CHECK(protocol.receive_data(kGet + kGet) == kGet.size());
  CHECK(protocol.events() == std::vector<Event>{RequestReceived{}, EndOfRequest{}});
  CHECK_FALSE(protocol.between_requests());
  CHECK(protocol.receive_data(kGet) == 0);
  CHECK(protocol.events().empty());
  respond(protocol);
  CHECK(protocol.receive_data(kGet) == 0);
  CHECK(protocol.response_ended());
  REQUIRE(protocol.keep_alive());
  protocol.next_request();
  CHECK(protocol.between_requests());
  CHECK_FALSE(protocol.response_ended());
  CHECK(protocol.receive_data(kGet) == kGet.size());
  CHECK(protocol.request().target() == "/");
  CHECK(protocol.request().field_count() == 1);
}

TEST_CASE("Http1Protocol: events stay until the next receive call, also over next_request",
          "[http1]") {
  Http1Protocol protocol(kLimits);
  protocol.receive_data(kGet);
  respond(protocol);
  protocol.next_request();
  CHECK(protocol.events() == std::vector<Event>{RequestReceived{}, EndOfRequest{}});
  protocol.receive_data(kGet.substr(0, 3));
  CHECK(protocol.events().empty());
}

TEST_CASE("Http1Protocol: a refused head shows no request (RFC 9112 2.2)", "[http1]") {
  Http1Protocol protocol(kLimits);
  protocol.receive_data("GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n");
  CHECK(protocol.events() == std::vector<Event>{ProtocolError{400, "malformed header field"}});
  CHECK_FALSE(protocol.keep_alive());
  CHECK(protocol.receive_data(kGet) == 0);
  CHECK(protocol.events().empty());
}

TEST_CASE("Http1Protocol: 100 Continue is sent when asked for, once (RFC 9110 10.1.1)", "[http1]") {
  Http1Protocol protocol(kLimits);
  protocol.receive_data(kExpecting);
  REQUIRE(protocol.expects_continue());
  protocol.send_continue();
  CHECK_FALSE(protocol.expects_continue());
  protocol.send_continue();
  CHECK(protocol.bytes_to_send().take() == "HTTP/1.1 100 Continue\r\n\r\n");
  CHECK_FALSE(protocol.response_started());
  protocol.receive_data("hi");
  respond(protocol);
  CHECK(protocol.bytes_to_send().view() == "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  CHECK(protocol.keep_alive());
}

TEST_CASE(
    "Http1Protocol: content that comes unasked makes 100 Continue superfluous (RFC 9110 10.1.1)",
    "[http1]") {
  Http1Protocol protocol(kLimits);
  protocol.receive_data(kExpecting + "h");
  CHECK_FALSE(protocol.expects_continue());
  protocol.send_continue();
  CHECK(protocol.bytes_to_send().empty());
}

TEST_CASE("Http1Protocol: no 100 Continue without content, or for HTTP/1.0 (RFC 9110 10.1.1)",
          "[http1]") {
  Http1Protocol protocol(kLimits);
  SECTION("no length") {
    protocol.receive_data("GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n");
  }
  SECTION("length zero") {
    protocol.receive_data(
        "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n");
  }
  SECTION("HTTP/1.0") {
    protocol.receive_data("PUT / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  }
  CHECK_FALSE(protocol.expects_continue());
  protocol.send_continue();
  CHECK(protocol.bytes_to_send().empty());
}

TEST_CASE("Http1Protocol: a final response instead of 100 Continue closes (RFC 9110 10.1.1)",
          "[http1]") {
  Http1Protocol protocol(kLimits);
  protocol.receive_data(kExpecting);
  protocol.send_head({413, {}}, {});
  CHECK(protocol.expects_continue());
  protocol.send_content("", More::No);
  CHECK_FALSE(protocol.expects_continue());
  protocol.send_continue();
  CHECK(protocol.bytes_to_send().view() ==
        "HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}

TEST_CASE("Http1Protocol: a response before the end of the request closes (RFC 9112 9.3)",
          "[http1]") {
  Http1Protocol protocol(kLimits);
  protocol.receive_data(kPost + "h");
  respond(protocol);
  CHECK(protocol.bytes_to_send().view() ==
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
  protocol.receive_data("i");
  CHECK(protocol.events() == std::vector<Event>{ContentReceived{"i"}, EndOfRequest{}});
  CHECK_FALSE(protocol.keep_alive());
}

TEST_CASE(
    "Http1Protocol: a streamed response before the end of the request may go on (RFC 9112 9.3)",
    "[http1]") {
  Http1Protocol protocol(kLimits);
  protocol.receive_data(kPost);
  protocol.send_head({200, {}}, {});
  protocol.send_content("a", More::Yes);
  protocol.receive_data("hi");
  protocol.send_content("", More::No);
  CHECK(protocol.keep_alive());
}

TEST_CASE("Http1Protocol: close_after_response is said in the head (RFC 9112 9.6)", "[http1]") {
  Http1Protocol protocol(kLimits);
  SECTION("before the request") {
    protocol.close_after_response();
    protocol.receive_data(kGet);
    protocol.send_head({200, {}}, {});
  }
  SECTION("while the head is held back") {
    protocol.receive_data(kGet);
    protocol.send_head({200, {}}, {});
    protocol.close_after_response();
  }
  CHECK_FALSE(protocol.keep_alive());
  protocol.send_content("", More::No);
  CHECK(protocol.bytes_to_send().view() ==
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  CHECK_FALSE(protocol.keep_alive());
}

TEST_CASE("Http1Protocol: an error replaces a head that is held back (RFC 9110 15.6.1)",
          "[http1]") {
  Http1Protocol protocol(kLimits);
  protocol.receive_data(kGet);
  protocol.send_head({200, {{"content-length", "100"}, {"A", "1"}}}, {});
  CHECK_FALSE(protocol.response_started());
  protocol.send_error(500, "Internal Server Error", {"today", "me"});
  CHECK(protocol.bytes_to_send().view() ==
        "HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain; charset=utf-8\r\n"
        "date: today\r\nserver: me\r\ncontent-length: 21\r\nconnection: close\r\n\r\n"
        "Internal Server Error");
  CHECK(protocol.response_status() == 500);
  CHECK(protocol.response_content_bytes() == 21);
  CHECK(protocol.response_ended());
  CHECK_FALSE(protocol.keep_alive());
}

TEST_CASE("Http1Protocol: an error answers a request that was refused (RFC 9112 2.2)", "[http1]") {
  Http1Protocol protocol(kLimits);
  protocol.receive_data("GET / HTTP/7.0\r\n");
  const ProtocolError error = std::get<ProtocolError>(protocol.events().at(0));
  protocol.send_error(error.status, error.detail, {});
  CHECK(protocol.bytes_to_send().view() ==
        "HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: text/plain; charset=utf-8\r\n"
        "content-length: 26\r\nconnection: close\r\n\r\nHTTP version not supported");
}

TEST_CASE("Http1Protocol: an error in answer to HEAD has no content (RFC 9110 9.3.2)", "[http1]") {
  Http1Protocol protocol(kLimits);
  protocol.receive_data("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  protocol.send_error(503, "busy", {});
  CHECK(protocol.bytes_to_send().view().ends_with("connection: close\r\n\r\n"));
  CHECK(protocol.response_content_bytes() == 0);
}

TEST_CASE("Http1Protocol: a bad chunk comes after what was good (RFC 9112 7.1)", "[http1]") {
  Http1Protocol protocol(kLimits);
  const std::string input =
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nx";
  protocol.receive_data(input);
  CHECK(protocol.events() == std::vector<Event>{RequestReceived{}, ContentReceived{"hi"},
                                                ProtocolError{400, "malformed chunked content"}});
  CHECK(protocol.request().method() == "POST");
  respond(protocol);
  CHECK(protocol.bytes_to_send().view().find("connection: close") != std::string_view::npos);
  CHECK_FALSE(protocol.keep_alive());
}

TEST_CASE("Http1Protocol: the bytes after an offer to upgrade stay with the caller (RFC 9110 7.8)",
          "[http1]") {
  const std::string head =
      "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
  test::for_every_split(head + "\x81\x85", [&](const Pieces& pieces) {
    Http1Protocol protocol(kLimits);
    std::size_t consumed = 0;
    for (const std::string_view piece : pieces) consumed += protocol.receive_data(piece);
    REQUIRE(consumed == head.size());
    REQUIRE(protocol.keep_alive());
  });
}

TEST_CASE("Http1Protocol: content aliases the input, without a copy", "[http1]") {
  Http1Protocol protocol(kLimits);
  protocol.receive_data(kPost);
  const std::string content = "hi";
  protocol.receive_data(content);
  REQUIRE(protocol.events().size() == 2);
  CHECK(std::get<ContentReceived>(protocol.events()[0]).bytes.data() == content.data());
}
