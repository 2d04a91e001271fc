// Responses as bytes: fields, framing, content (RFC 9112 sections 4 to 7, 9), through Http1Protocol
// as a session uses it.
#include "server/http1/response_serializer.h"

#include <string>
#include <utility>
#include <vector>

#include "server/http1/http1_protocol.h"
#include "support/catch.h"

using namespace cppasgi;
using namespace cppasgi::http1;

namespace {

constexpr HttpLimits kLimits;
const std::string kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string kHead = "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string kGet10 = "GET / HTTP/1.0\r\n\r\n";
const std::string kGet10KeepAlive = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";

struct Response {
  std::string bytes;
  bool keep_alive;
};

// The answer to `request`: `head`, then `pieces`, the last of them with More::No.
Response respond(const std::string& request, const http::ResponseHead& head,
                 const std::vector<std::string>& pieces, const http::DefaultFields& defaults = {}) {
  Http1Protocol protocol(kLimits);
  REQUIRE(protocol.receive_data(request) == request.size());
  protocol.send_head(head, defaults);
  CHECK(protocol.bytes_to_send().empty());
  for (std::size_t index = 0; index < pieces.size(); ++index) {
    const More more = index + 1 == pieces.size() ? More::No : More::Yes;
    CHECK(protocol.send_content(pieces[index], more) == SendStatus::Sent);
  }
  CHECK(protocol.response_ended());
  return {protocol.bytes_to_send().take(), protocol.keep_alive()};
}

std::string respond_bytes(const std::string& request, const http::ResponseHead& head,
                          const std::vector<std::string>& pieces) {
  return respond(request, head, pieces).bytes;
}

}  // namespace

TEST_CASE("Response: content in one piece gets its length (RFC 9112 6.3)", "[http1]") {
  CHECK(respond_bytes(kGet, {200, {{"A", "1"}}}, {"hello"}) ==
        "HTTP/1.1 200 OK\r\nA: 1\r\ncontent-length: 5\r\n\r\nhello");
  CHECK(respond_bytes(kGet, {404, {}}, {""}) ==
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
}

TEST_CASE("Response: the field that names a route is for the server", "[http1]") {
  Http1Protocol protocol(kLimits);
  protocol.receive_data(kGet);
  protocol.send_head({200, {{"Cppasgi-Route", " /a/<id> "}, {"A", "1"}}}, {});
  CHECK(protocol.route() == "/a/<id>");
  SECTION("it isn't sent, and the next response has none") {
    protocol.send_content("hello", More::No);
    CHECK(protocol.bytes_to_send().take() ==
          "HTTP/1.1 200 OK\r\nA: 1\r\ncontent-length: 5\r\n\r\nhello");
    protocol.next_request();
    CHECK(protocol.route().empty());
  }
  SECTION("it stays when the server answers instead, as the application has failed") {
    protocol.send_error(500, "", {});
    CHECK(protocol.route() == "/a/<id>");
  }
}

TEST_CASE("Response: content in pieces is chunked for HTTP/1.1 (RFC 9112 7.1)", "[http1]") {
  CHECK(respond_bytes(kGet, {200, {}}, {"hello", "", std::string(17, 'x'), ""}) ==
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n11\r\n" +
            std::string(17, 'x') + "\r\n0\r\n\r\n");
  CHECK(respond_bytes(kGet, {200, {}}, {"", "end"}) ==
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nend\r\n0\r\n\r\n");
}

TEST_CASE("Response: content in pieces ends with the connection for HTTP/1.0 (RFC 9112 6.1)",
          "[http1]") {
  const Response response = respond(kGet10KeepAlive, {200, {}}, {"a", "b"});
  CHECK(response.bytes == "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nab");
  CHECK_FALSE(response.keep_alive);
}

TEST_CASE("Response: the application's Content-Length frames the content (RFC 9112 6.2)",
          "[http1]") {
  CHECK(respond_bytes(kGet, {200, {{"Content-Length", "4"}, {"B", "2"}}}, {"ab", "cd"}) ==
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nB: 2\r\n\r\nabcd");
  CHECK(respond_bytes(kGet, {200, {{"content-length", "4"}}}, {"", "abcd", ""}) ==
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabcd");
}

TEST_CASE("Response: only one valid Content-Length goes out (RFC 9112 6.3)", "[http1]") {
  CHECK(respond_bytes(kGet, {200, {{"content-length", "2"}, {"Content-Length", "3"}}}, {"ab"}) ==
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab");
  for (const std::string_view invalid : {"x", "", "-1", "2x", "0x2", "99999999999999999999"}) {
    CHECK(respond_bytes(kGet, {200, {{"content-length", invalid}}}, {"ab"}) ==
          "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab");
  }
}

TEST_CASE("Response: the application's Transfer-Encoding is dropped (RFC 9112 6.1)", "[http1]") {
  CHECK(respond_bytes(kGet, {200, {{"Transfer-Encoding", "chunked"}}}, {"ab"}) ==
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab");
}

TEST_CASE("Response: names, values, order and duplicates stay as given (RFC 9110 5.2, 5.3)",
          "[http1]") {
  CHECK(respond_bytes(kGet,
                      {200, {{"Set-Cookie", "a=1"}, {"X", ""}, {"set-cookie", "b=2"}, {"X", "é "}}},
                      {""}) ==
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX: \r\nset-cookie: b=2\r\nX: é \r\n"
        "content-length: 0\r\n\r\n");
}

TEST_CASE("Response: no content and no length for 204 (RFC 9110 8.6, 15.3.5)", "[http1]") {
  CHECK(respond_bytes(kGet, {204, {{"content-length", "2"}, {"A", "1"}}}, {"ab"}) ==
        "HTTP/1.1 204 No Content\r\nA: 1\r\n\r\n");
}

TEST_CASE("Response: 304 has no content but may say a length (RFC 9110 15.4.5)", "[http1]") {
  CHECK(respond_bytes(kGet, {304, {}}, {"ab"}) == "HTTP/1.1 304 Not Modified\r\n\r\n");
  CHECK(respond_bytes(kGet, {304, {{"content-length", "7"}}}, {"a", "b"}) ==
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n");
}

TEST_CASE("Response: HEAD has the fields and no content (RFC 9110 9.3.2)", "[http1]") {
  CHECK(respond_bytes(kHead, {200, {{"content-length", "5"}}}, {"hello"}) ==
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
  CHECK(respond_bytes(kHead, {200, {{"content-length", "5"}}}, {""}) ==
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
  CHECK(respond_bytes(kHead, {200, {}}, {"he", "llo"}) == "HTTP/1.1 200 OK\r\n\r\n");
  CHECK(respond("HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", {200, {}}, {""}).keep_alive);
}

TEST_CASE(
    "Response: Date and Server are added unless the application sent its own (RFC 9110 6.6.1)",
    "[http1]") {
  const http::DefaultFields defaults{.date = "today", .server = "me"};
  CHECK(respond(kGet, {200, {}}, {""}, defaults).bytes ==
        "HTTP/1.1 200 OK\r\ndate: today\r\nserver: me\r\ncontent-length: 0\r\n\r\n");
  CHECK(respond(kGet, {200, {{"DATE", "d"}, {"Server", "s"}}}, {""}, defaults).bytes ==
        "HTTP/1.1 200 OK\r\nDATE: d\r\nServer: s\r\ncontent-length: 0\r\n\r\n");
}

TEST_CASE("Response: the application may close the connection (RFC 9112 9.6)", "[http1]") {
  const Response response = respond(kGet, {200, {{"Connection", "X, Close , keep-alive"}}}, {""});
  CHECK(response.bytes ==
        "HTTP/1.1 200 OK\r\nConnection: X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  CHECK_FALSE(response.keep_alive);
}

TEST_CASE("Response: the application can't keep a connection open (RFC 9112 9.3)", "[http1]") {
  const Response response = respond(kGet10, {200, {{"Connection", "keep-alive"}}}, {""});
  CHECK(response.bytes == "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  CHECK_FALSE(response.keep_alive);
}

TEST_CASE("Response: an HTTP/1.0 connection that persists is told so (RFC 9112 9.3)", "[http1]") {
  const Response response = respond(kGet10KeepAlive, {200, {}}, {"ab"});
  CHECK(response.bytes ==
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nab");
  CHECK(response.keep_alive);
}

TEST_CASE("Response: an unregistered status has a stand-in phrase (RFC 9112 4)", "[http1]") {
  CHECK(respond_bytes(kGet, {299, {}}, {""}) ==
        "HTTP/1.1 299 Unknown Status\r\ncontent-length: 0\r\n\r\n");
}

TEST_CASE("Response: more content than announced isn't sent (RFC 9112 6.2)", "[http1]") {
  Http1Protocol protocol(kLimits);
  protocol.receive_data(kGet);
  protocol.send_head({200, {{"content-length", "3"}}}, {});
  CHECK(protocol.send_content("abcd", More::Yes) == SendStatus::TooLong);
  CHECK_FALSE(protocol.response_started());
  CHECK(protocol.send_content("ab", More::Yes) == SendStatus::Sent);
  CHECK(protocol.send_content("cd", More::No) == SendStatus::TooLong);
  CHECK_FALSE(protocol.response_ended());
  CHECK(protocol.send_content("c", More::No) == SendStatus::Sent);
  CHECK(protocol.keep_alive());
  CHECK(protocol.response_content_bytes() == 3);
  CHECK(protocol.bytes_to_send().view() == "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc");
}

TEST_CASE("Response: less content than announced ends the connection (RFC 9112 8)", "[http1]") {
  Http1Protocol protocol(kLimits);
  protocol.receive_data(kGet);
  protocol.send_head({200, {{"content-length", "3"}}}, {});
  CHECK(protocol.send_content("a", More::Yes) == SendStatus::Sent);
  CHECK(protocol.send_content("b", More::No) == SendStatus::TooShort);
  CHECK(protocol.response_ended());
  CHECK_FALSE(protocol.keep_alive());
}

TEST_CASE("Response: less content than announced in the first piece can still be an error",
          "[http1]") {
  Http1Protocol protocol(kLimits);
  protocol.receive_data(kGet);
  protocol.send_head({200, {{"content-length", "3"}}}, {});
  CHECK(protocol.send_content("a", More::No) == SendStatus::TooShort);
  CHECK_FALSE(protocol.response_started());
  protocol.send_error(500, "oops", {});
  CHECK(protocol.bytes_to_send().view().starts_with("HTTP/1.1 500 Internal Server Error\r\n"));
  CHECK(protocol.response_ended());
}

namespace {

// The answer to `request`: content in `pieces`, then trailers in two messages.
Response respond_with_trailers(const std::string& request, const std::vector<http::Field>& fields,
                               const std::vector<std::string>& pieces, int status = 200) {
  Http1Protocol protocol(kLimits);
  REQUIRE(protocol.receive_data(request) == request.size());
  protocol.send_head({status, fields, true}, {});
  for (std::size_t index = 0; index < pieces.size(); ++index) {
    const More more = index + 1 == pieces.size() ? More::No : More::Yes;
    CHECK(protocol.send_content(pieces[index], more) == SendStatus::Sent);
  }
  CHECK_FALSE(protocol.response_ended());
  protocol.send_trailers({{"x-sum", "1"}, {"x-sum", "2"}}, More::Yes);
  CHECK_FALSE(protocol.response_ended());
  protocol.send_trailers({{"x-end", "yes"}}, More::No);
  CHECK(protocol.response_ended());
  return {protocol.bytes_to_send().take(), protocol.keep_alive()};
}

const std::string kTrailers = "0\r\nx-sum: 1\r\nx-sum: 2\r\nx-end: yes\r\n\r\n";
const std::string kChunkedHead = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

}  // namespace

TEST_CASE("Response: trailers end chunked content (RFC 9112 7.1.2)", "[http1]") {
  const Response response = respond_with_trailers(kGet, {}, {"ab", "cd"});
  CHECK(response.bytes == kChunkedHead + "2\r\nab\r\n2\r\ncd\r\n" + kTrailers);
  CHECK(response.keep_alive);
}

TEST_CASE("Response: content in one piece is chunked too when trailers follow", "[http1]") {
  CHECK(respond_with_trailers(kGet, {}, {"abcd"}).bytes ==
        kChunkedHead + "4\r\nabcd\r\n" + kTrailers);
  CHECK(respond_with_trailers(kGet, {}, {""}).bytes == kChunkedHead + kTrailers);
}

TEST_CASE("Response: Content-Length gives way to trailers (RFC 9112 6.2)", "[http1]") {
  CHECK(respond_with_trailers(kGet, {{"content-length", "4"}}, {"abcd"}).bytes ==
        kChunkedHead + "4\r\nabcd\r\n" + kTrailers);
}

TEST_CASE("Response: without content there are no trailers (RFC 9112 6.3)", "[http1]") {
  CHECK(respond_with_trailers(kHead, {}, {"abcd"}).bytes == "HTTP/1.1 200 OK\r\n\r\n");
  CHECK(respond_with_trailers(kGet, {}, {""}, 204).bytes == "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST_CASE("Response: trailers of one response don't reach the next", "[http1]") {
  Http1Protocol protocol(kLimits);
  REQUIRE(protocol.receive_data(kGet) == kGet.size());
  protocol.send_head({200, {}, true}, {});
  protocol.send_content("a", More::No);
  protocol.send_trailers({}, More::No);
  CHECK(protocol.bytes_to_send().take() == kChunkedHead + "1\r\na\r\n0\r\n\r\n");
  protocol.next_request();
  REQUIRE(protocol.receive_data(kGet) == kGet.size());
  protocol.send_head({200, {}}, {});
  protocol.send_content("b", More::No);
  CHECK(protocol.response_ended());
  CHECK(protocol.bytes_to_send().take() == "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nb");
}

TEST_CASE("Response: early hints come before the head, as often as wanted (RFC 8297)", "[http1]") {
  Http1Protocol protocol(kLimits);
  REQUIRE(protocol.receive_data(kGet) == kGet.size());
  protocol.send_early_hints({"</a.css>; rel=preload", "</b.js>; rel=preload"});
  CHECK_FALSE(protocol.response_started());
  protocol.send_early_hints({"</c.js>; rel=preload"});
  protocol.send_head({200, {}}, {});
  protocol.send_content("a", More::No);
  CHECK(protocol.bytes_to_send().take() ==
        "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b.js>; "
        "rel=preload\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </c.js>; rel=preload\r\n\r\n"
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na");
  CHECK(protocol.response_status() == 200);
}

TEST_CASE("Response: content that the caller sends itself is framed as any other", "[http1]") {
  const auto framed = [](const std::string& request, const http::ResponseHead& head, More first) {
    Http1Protocol protocol(kLimits);
    REQUIRE(protocol.receive_data(request) == request.size());
    protocol.send_head(head, {});
    CHECK(protocol.begin_content(17, first) == SendStatus::Sent);
    CHECK_FALSE(protocol.response_ended());  // or the next request would come too early
    if (protocol.response_has_content()) protocol.bytes_to_send().append("<17 bytes>");
    protocol.end_content(first);
    if (first == More::Yes) protocol.send_content("x", More::No);
    CHECK(protocol.response_ended());
    CHECK(protocol.response_content_bytes() ==
          (protocol.response_has_content() ? (first == More::Yes ? 18U : 17U) : 0U));
    return protocol.bytes_to_send().take();
  };
  CHECK(framed(kGet, {200, {}}, More::No) ==
        "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n<17 bytes>");
  CHECK(framed(kGet, {200, {}}, More::Yes) ==
        kChunkedHead + "11\r\n<17 bytes>\r\n1\r\nx\r\n0\r\n\r\n");
  CHECK(framed(kGet, {200, {{"content-length", "18"}}}, More::Yes) ==
        "HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n<17 bytes>x");
  CHECK(framed(kGet10, {200, {}}, More::Yes) ==
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<17 bytes>x");
  CHECK(framed(kHead, {200, {}}, More::No) == "HTTP/1.1 200 OK\r\n\r\n");
}

TEST_CASE("Response: no bytes of the caller's are no chunk (RFC 9112 7.1)", "[http1]") {
  Http1Protocol protocol(kLimits);
  REQUIRE(protocol.receive_data(kGet) == kGet.size());
  protocol.send_head({200, {}}, {});
  CHECK(protocol.begin_content(0, More::Yes) == SendStatus::Sent);
  protocol.end_content(More::Yes);
  CHECK(protocol.bytes_to_send().take() == kChunkedHead);
}

TEST_CASE("Response: an operator's fields are added unless the application sent its own",
          "[http1]") {
  const std::vector<std::pair<std::string, std::string>> others{{"X-A", "1"}, {"X-B", "2"}};
  const http::DefaultFields defaults{.date = {}, .server = {}, .others = others};
  CHECK(respond(kGet, {200, {{"x-a", "own"}}}, {""}, defaults).bytes ==
        "HTTP/1.1 200 OK\r\nx-a: own\r\nX-B: 2\r\ncontent-length: 0\r\n\r\n");
}

TEST_CASE("Response: as Daphne's where its own tests ask for it", "[http1]") {
  const http::DefaultFields defaults{.date = {}, .server = {}, .as_daphne = true};
  CHECK(respond(kGet10, {200, {}}, {"hello"}, defaults).bytes ==
        "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nhello");
  CHECK(respond(kGet, {200, {}}, {"hello"}, defaults).bytes ==
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
}
