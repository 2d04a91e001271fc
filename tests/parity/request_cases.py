"""Cases about HTTP requests: what the application is told of them, and what is refused."""

from __future__ import annotations

from case import (
    LEAVE,
    READ_CONTENT,
    RECEIVE,
    RESET,
    RESPOND,
    STAYS,
    UNTIL_LEFT,
    Answers,
    Case,
    Pause,
    Recorded,
    body,
    request,
    start,
)


def simple(name: str, *arguments: str | bytes, **options: object) -> Case:
    """One request that is answered with "ok"."""
    flags = options.pop("flags", ())
    return Case(name, [request(*arguments, **options)], RESPOND, flags=flags)  # type: ignore[arg-type]


OTHER_NAMES = (
    *("--root-path", "/a%20b", "--proxy-headers"),
    *("--proxy-headers-host", "X-Client", "--proxy-headers-port", "X-Client-Port"),
)

METHODS = [
    simple(f"method {method}", method=method)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "TRACE", "PURGE")
] + [simple("method of one's own", method="FROB")]

TARGETS = [
    simple("path of several parts", "/a/b/c.html"),
    simple("query", "/search?q=one+two&page=3"),
    simple("query with escapes", "/?q=%C3%A9%20%2F"),
    simple("empty query", "/path?"),
    simple("query with question marks", "/?a=?&b=?"),
    simple("escaped slash", "/a%2Fb"),
    simple("escaped space", "/a%20b"),
    simple("escaped UTF-8", "/caf%C3%A9/%E2%82%AC"),
    simple("escapes that are no UTF-8", "/%ff%fe"),
    simple("lower and upper case escapes", "/%7euser/%7Euser"),
    simple("escaped percent", "/100%25"),
    simple("percent without digits", "/100%zz"),
    simple("plus in the path", "/a+b"),
    simple("double slash", "//a//b"),
    simple("dots", "/a/../b/./c"),
    simple("parameters", "/a;p=1/b;q=2"),
    simple("marks", "/-._~!$&'()*+,;=:@"),
    simple("brackets and bars", '/[a]|{b}^`"<>'),
    simple("long path", "/" + "a" * 3000),
    simple("long query", "/?" + "q=1&" * 1000),
    simple("absolute form", "http://site.test/absolute?x=1"),
    simple("asterisk", "*", method="OPTIONS"),
    simple("fragment", "/path#part"),
    simple("raw UTF-8", b"/caf\xc3\xa9".decode("latin1")),
    simple("a byte of 0x80 in the path", "/a\x80"),
    simple("a byte of 0x80 in the query", "/?a\x80"),
    simple("root path", "/page", flags=("--root-path", "/app")),
    simple("root path that begins the path", "/app/page?x", flags=("--root-path", "/app")),
    simple("root path with an escape", "/x", flags=OTHER_NAMES),
    simple("root path in a field", "/app/page", "Daphne-Root-Path: /app"),
]

FIELDS = [
    simple("no fields but Host"),
    simple("upper and lower case names", "/", "ACCEPT: a", "aCCept-Language: b"),
    simple("spaces around a value", "/", "X-Spaces: \t  a b  \t"),
    simple("empty value", "/", "X-Empty:"),
    simple("value without a space before", "/", "X-Tight:value"),
    simple("value with a colon", "/", "X-Time: 12:34:56"),
    simple("bytes above ASCII", "/", b"X-Latin: caf\xe9", b"X-Utf8: \xc3\xbc"),
    simple("control character", "/", "X-Control: a\x01b"),
    simple("vertical tab", "/", "X-Control: a\x0bb"),
    simple("form feed", "/", "X-Control: a\x0cb"),
    simple("separators of ASCII", "/", "X-Control: a\x1cb"),
    simple("next line of Latin-1", "/", "X-Control: a\x85b"),
    simple("NUL", "/", "X-Control: a\0b"),
    simple("lone CR", "/", "X-Control: a\rb"),
    simple("adjacent fields of one name", "/", "X-A: 1", "X-A: 2", "X-B: 3"),
    simple("scattered fields of one name", "/", "X-A: 1", "X-B: 2", "x-a: 3"),
    simple("cookie", "/", "Cookie: a=1; b=2"),
    simple("two cookies", "/", "Cookie: a=1", "Cookie: b=2"),
    simple("name with an underscore", "/", "X_Forwarded_For: 1.2.3.4", "X-Real: 1"),
    simple("all marks in a name", "/", "!#$%&'*+-.^`|~: x"),
    simple("an Expect that is unknown", "/", "Accept: */*", "Expect: nothing"),
    simple("authorization", "/", "Authorization: Basic YTpi"),
    simple("conditional request", "/", 'If-None-Match: "x"', "If-Modified-Since: now"),
    simple("range", "/", "Range: bytes=0-1"),
    simple("a hundred fields", "/", *[f"X-Field-{n}: {n}" for n in range(90)]),
    simple("a long value", "/", "X-Long: " + "v" * 6000),
    simple("an Upgrade that isn't one", "/", "Upgrade: h2c"),
    simple("folded line", "/", "X-Folded: a\r\n b"),
    simple("folded line with a tab", "/", "X-Folded: a\r\n\tb"),
    simple("two Host fields", "/", "Host: other.test"),
    simple("no Host in HTTP/1.1", "/", host=False),
    simple("no Host in HTTP/1.0", "/", host=False, version="1.0"),
    simple("Host with a port", "/", "Host: site.test:8000", host=False),
    simple("empty Host", "/", "Host:", host=False),
]

REFUSED = [
    Case("line without a version", [b"GET /\r\n\r\n"], RESPOND),
    Case("HTTP/0.9", [b"GET / HTTP/0.9\r\nHost: a\r\n\r\n"], RESPOND),
    Case("HTTP/1.2", [b"GET / HTTP/1.2\r\nHost: a\r\n\r\n"], RESPOND),
    Case("HTTP/2.0", [b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"], RESPOND),
    Case("HTTP/2 by prior knowledge", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], RESPOND),
    Case("line of words", [b"this is no request\r\n\r\n"], RESPOND),
    Case("TLS on a plain port", [b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\r\n\r\n"], RESPOND),
    Case("space before the colon", [request("/", "X-Space : 1")], RESPOND),
    Case("name that is no token", [request("/", "X(Name): 1")], RESPOND),
    Case("line without a colon", [request("/", "nonsense")], RESPOND),
    Case("empty name", [request("/", ": value")], RESPOND),
    Case("method that is no token", [b"GE(T / HTTP/1.1\r\nHost: a\r\n\r\n"], RESPOND),
    Case("lower-case method", [request(method="get")], RESPOND),
    Case("two spaces in the line", [b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"], RESPOND),
    Case("bare LF", [b"GET / HTTP/1.1\nHost: a\nConnection: close\n\n"], RESPOND, finish=STAYS),
    Case("empty line before the request", [b"\r\n" + request()], RESPOND),
    simple("Content-Length with a sign", "/", "Content-Length: +2", method="POST", content=b"ab"),
    simple("Content-Length that is a word", "/", "Content-Length: two", method="POST"),
    simple("negative Content-Length", "/", "Content-Length: -1", method="POST"),
    simple(
        "two Content-Lengths",
        "/",
        "Content-Length: 2",
        "Content-Length: 3",
        method="POST",
        content=b"abc",
    ),
    simple(
        "the same Content-Length twice",
        "/",
        "Content-Length: 2",
        "Content-Length: 2",
        method="POST",
        content=b"ab",
    ),
    simple(
        "Content-Length and chunks",
        "/",
        "Content-Length: 2",
        "Transfer-Encoding: chunked",
        method="POST",
        content=b"2\r\nab\r\n0\r\n\r\n",
    ),
    simple("unknown coding", "/", "Transfer-Encoding: gzip", method="POST"),
    simple(
        "chunk size that is no number",
        "/",
        "Transfer-Encoding: chunked",
        method="POST",
        content=b"zz\r\nab\r\n0\r\n\r\n",
    ),
    simple(
        "chunk longer than its size",
        "/",
        "Transfer-Encoding: chunked",
        method="POST",
        content=b"1\r\nab\r\n0\r\n\r\n",
    ),
    simple("a field of 20,000 bytes", "/", "X-Long: " + "v" * 20000),
    simple("600 fields", "/", *[f"X{n}: 1" for n in range(600)]),
    simple("a target of 20,000 bytes", "/" + "a" * 20000),
]


def upload(name: str, content: bytes, *fields: str, **options: object) -> Case:
    length = f"Content-Length: {len(content)}"
    return simple(name, "/", length, *fields, method="POST", content=content, **options)


def chunked(name: str, content: bytes, *fields: str, **options: object) -> Case:
    coding = "Transfer-Encoding: chunked"
    return simple(name, "/", coding, *fields, method="POST", content=content, **options)


FORM = "Content-Type: application/x-www-form-urlencoded"
MULTIPART = "Content-Type: multipart/form-data; boundary=xyz"
PARTS = b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--xyz--\r\n'

CONTENT = [
    upload("no content with a length", b""),
    upload("short content", b"hello"),
    upload("bytes of every value", bytes(range(256))),
    upload("8191 bytes", b"x" * 8191),
    upload("8192 bytes", b"x" * 8192),
    upload("16384 bytes", b"x" * 16384),
    upload("100,000 bytes", b"x" * 100_000),
    upload("300,000 bytes", b"y" * 300_000),
    upload("form", b"a=1&b=%20", FORM),
    upload("form of several parts", PARTS, MULTIPART),
    upload("several parts that aren't", b"nonsense", MULTIPART),
    upload("several parts without a boundary", PARTS, "Content-Type: multipart/form-data"),
    upload("JSON", b'{"a": [1, 2]}', "Content-Type: application/json"),
    simple("content with GET", "/", "Content-Length: 2", content=b"ab"),
    simple("content with DELETE", "/", "Content-Length: 2", method="DELETE", content=b"ab"),
    chunked("one chunk", b"5\r\nhello\r\n0\r\n\r\n"),
    chunked("three chunks", b"1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n"),
    chunked("no chunks", b"0\r\n\r\n"),
    chunked("chunk sizes in hexadecimal", b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
    chunked("chunk extension", b'2;name=value;q="x"\r\nab\r\n0\r\n\r\n'),
    chunked("trailers", b"2\r\nab\r\n0\r\nX-Trailer: 1\r\n\r\n", "Trailer: X-Trailer"),
    chunked("a coding in upper case", b"2\r\nab\r\n0\r\n\r\n".replace(b"ab", b"AB")),
    Case(
        "content in pieces",
        [request("/", "Content-Length: 6", method="POST"), b"ab", Pause(0.05), b"cdef"],
        RESPOND,
    ),
    Case(
        "100-continue",
        [
            request("/", "Content-Length: 2", "Expect: 100-continue", method="PUT"),
            Answers(1),
            b"ok",
        ],
        RESPOND,
    ),
    Case(
        "answer before the content is read",
        [request("/", "Content-Length: 5", method="POST", content=b"hello")],
        [start(200, (b"content-length", b"2")), body(b"ok")],
    ),
]

KEPT = request("/1", close=False)

CONNECTIONS = [
    Case("kept", [KEPT, Answers(1)], RESPOND, finish=STAYS),
    Case("two requests one after another", [KEPT, Answers(1), request("/2")], RESPOND),
    Case("two requests at once", [KEPT + request("/2")], RESPOND),
    Case("five requests at once", [KEPT * 4 + request("/5")], RESPOND),
    Case(
        "uploads at once",
        [
            request("/", "Content-Length: 3", method="POST", close=False, content=b"abc")
            + request("/", "Content-Length: 2", method="PUT", content=b"de")
        ],
        RESPOND,
    ),
    Case("request after Connection: close", [request("/1") + request("/2")], RESPOND),
    Case("request in pieces", [KEPT[:7], Pause(0.05), KEPT[7:], Answers(1)], RESPOND, finish=STAYS),
    Case("Connection: Close", [request("/", "Connection: Close", close=False)], RESPOND),
    Case(
        "Connection: keep-alive",
        [request("/", "Connection: keep-alive", close=False), Answers(1)],
        RESPOND,
        finish=STAYS,
    ),
    Case(
        "close beside another option", [request("/", "Connection: TE, close", close=False)], RESPOND
    ),
    simple("HTTP/1.0", version="1.0", close=False),
    Case(
        "HTTP/1.0 with keep-alive",
        [request("/", "Connection: keep-alive", version="1.0", close=False), Answers(1)],
        RESPOND,
        finish=STAYS,
    ),
    simple(
        "HTTP/1.0 with content",
        "/",
        "Content-Length: 2",
        method="POST",
        version="1.0",
        close=False,
        content=b"ab",
    ),
    Case(
        "good and bad at once",
        [KEPT + b"nonsense\r\n\r\n"],
        RESPOND,
    ),
    Case(
        "the client leaves while the application thinks",
        [request(close=False), Recorded(1)],
        [READ_CONTENT, RECEIVE],
        finish=LEAVE,
    ),
    Case(
        "the client resets while the application thinks",
        [request(close=False), Recorded(1)],
        [READ_CONTENT, RECEIVE],
        finish=RESET,
    ),
    Case(
        "the application sends to a client that has left",
        [request(close=False), Recorded(1)],
        [READ_CONTENT, UNTIL_LEFT, start(200), body(b"late")],
        finish=LEAVE,
    ),
    Case(
        "the client leaves in the middle of its content",
        [request("/", "Content-Length: 10", method="POST", content=b"abc"), Pause(0.2)],
        RESPOND,
        finish=LEAVE,
    ),
    Case(
        "the client leaves in the middle of a response",
        [request(close=False), Recorded(1), Pause(0.1)],
        [READ_CONTENT, start(200), body(b"part", more=True), UNTIL_LEFT],
        finish=LEAVE,
    ),
    Case(
        "receive after the response",
        [request(close=False), Answers(1)],
        [*RESPOND, RECEIVE],
        finish=STAYS,
    ),
]

CLIENT = "X-Forwarded-For: 203.0.113.7"
PROXIED = ("--proxy-headers",)

PROXIES = [
    simple("a proxy's fields that are not asked for", "/", CLIENT, "X-Forwarded-Proto: https"),
    simple("a client's address", "/", CLIENT, flags=PROXIED),
    simple("address and port", "/", CLIENT, "X-Forwarded-Port: 4321", flags=PROXIED),
    simple("address and scheme", "/", CLIENT, "X-Forwarded-Proto: https", flags=PROXIED),
    simple(
        "address, port and scheme",
        "/",
        CLIENT,
        "X-Forwarded-Port: 443",
        "X-Forwarded-Proto: https",
        flags=PROXIED,
    ),
    simple("scheme alone", "/", "X-Forwarded-Proto: https", flags=PROXIED),
    simple("port alone", "/", "X-Forwarded-Port: 80", flags=PROXIED),
    simple("port that is no number", "/", CLIENT, "X-Forwarded-Port: http", flags=PROXIED),
    simple("an IPv6 client", "/", "X-Forwarded-For: 2001:db8::7", flags=PROXIED),
    simple("two addresses", "/", "X-Forwarded-For: 198.51.100.1, 203.0.113.7", flags=PROXIED),
    simple("two addresses, the last a proxy's", "/", CLIENT + ", 127.0.0.1", flags=PROXIED),
    simple("no fields from the proxy", "/", flags=PROXIED),
    simple(
        "other names",
        "/",
        "X-Client: 203.0.113.9",
        "X-Client-Port: 99",
        flags=OTHER_NAMES,
    ),
]

CASES = [*METHODS, *TARGETS, *FIELDS, *REFUSED, *CONTENT, *CONNECTIONS, *PROXIES]
