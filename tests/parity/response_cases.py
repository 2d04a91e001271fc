"""Cases about HTTP responses: how they are framed, and what happens when the application errs."""

from __future__ import annotations

from case import (
    FAIL,
    READ_CONTENT,
    RECEIVE,
    STAYS,
    Answers,
    Case,
    body,
    request,
    send,
    start,
)

GET = request()
KEPT = request(close=False)
LENGTH_2 = (b"content-length", b"2")


def response(name: str, *steps: tuple[object, ...], **options: object) -> Case:
    """What a GET gets when the application does this after reading."""
    client = options.pop("client", [GET])
    return Case(name, client, [READ_CONTENT, *steps], **options)  # type: ignore[arg-type]


def with_fields(name: str, *fields: tuple[bytes, bytes]) -> Case:
    """What a GET gets with a length and these fields."""
    return response(name, start(200, LENGTH_2, *fields), body(b"ok"))


STATUSES = [
    response(f"status {status}", start(status, LENGTH_2), body(b"ok"))
    for status in (
        *(200, 201, 202, 203, 206, 301, 302, 307, 308, 400, 401, 403, 404, 405, 409, 410),
        *(411, 413, 415, 418, 422, 425, 429, 431, 451, 500, 501, 502, 503, 504, 299, 599),
    )
]

FRAMING = [
    response("a length", start(200, LENGTH_2), body(b"ok")),
    response("no length", start(200), body(b"ok")),
    response("no length and no content", start(200), body()),
    response("no fields at all", send(type="http.response.start", status=200), body(b"ok")),
    response("no more_body", start(200), send(type="http.response.body", body=b"ok")),
    response("no body key", start(200), send(type="http.response.body")),
    response("three pieces", start(200), body(b"a", True), body(b"bc", True), body(b"def")),
    response("three pieces and an end", start(200), body(b"a", True), body(b"bc", True), body()),
    response("an empty piece first", start(200), body(b"", True), body(b"a", True), body(b"b")),
    response(
        "pieces with a length", start(200, (b"content-length", b"3")), body(b"a", True), body(b"bc")
    ),
    response(
        "slow pieces",
        start(200),
        body(b"a", True),
        ("sleep", 0.05),
        body(b"b", True),
        ("sleep", 0.05),
        body(b"c"),
    ),
    response("200,000 bytes", start(200), body(b"z" * 200_000)),
    response(
        "200,000 bytes with a length",
        start(200, (b"content-length", b"200000")),
        body(b"z" * 200_000),
    ),
    response("no length for HTTP/1.0", start(200), body(b"ok"), client=[request(version="1.0")]),
    response(
        "pieces for HTTP/1.0",
        start(200),
        body(b"a", True),
        body(b"b"),
        client=[request(version="1.0")],
    ),
    response(
        "a length for HTTP/1.0", start(200, LENGTH_2), body(b"ok"), client=[request(version="1.0")]
    ),
    response(
        "HEAD with a length",
        start(200, LENGTH_2),
        body(b"ok"),
        client=[request(method="HEAD")],
        bodiless=True,
    ),
    response(
        "HEAD without a length",
        start(200),
        body(b"ok"),
        client=[request(method="HEAD")],
        bodiless=True,
    ),
    response(
        "HEAD without content", start(200), body(), client=[request(method="HEAD")], bodiless=True
    ),
    response(
        "HEAD and GET",
        start(200, LENGTH_2),
        body(b"ok"),
        client=[request(method="HEAD", close=False), Answers(1), request(method="HEAD")],
        bodiless=True,
    ),
    response("204", start(204), body()),
    response("204 with content", start(204), body(b"no")),
    response("204 and on", start(204), body(), client=[KEPT, Answers(1), GET]),
    response("304", start(304, (b"etag", b'"x"')), body()),
    response("304 with a length", start(304, LENGTH_2), body()),
    response("304 and on", start(304), body(), client=[KEPT, Answers(1), GET]),
    response(
        "a coding of the application's", start(200, (b"transfer-encoding", b"chunked")), body(b"ok")
    ),
    with_fields("a coding and a length", (b"transfer-encoding", b"gzip")),
    response(
        "Connection: close from the application",
        start(200, LENGTH_2, (b"connection", b"close")),
        body(b"ok"),
        client=[KEPT, Answers(1)],
        finish=STAYS,
    ),
    response("more content than the length", start(200, (b"content-length", b"1")), body(b"ok")),
    response("less content than the length", start(200, (b"content-length", b"9")), body(b"ok")),
]

FIELDS = [
    with_fields("names in every case", (b"x-foo-bar", b"1"), (b"X-BAZ", b"2"), (b"eTag", b'"3"')),
    with_fields("two cookies are set", (b"set-cookie", b"a=1; Path=/"), (b"set-cookie", b"b=2")),
    response(
        "scattered names in an answer",
        start(200, (b"x-a", b"1"), LENGTH_2, (b"x-a", b"2")),
        body(b"ok"),
    ),
    with_fields("empty value in an answer", (b"x-empty", b"")),
    with_fields("bytes above ASCII in an answer", (b"x-latin", b"caf\xe9")),
    with_fields("line break in a value", (b"x-evil", b"a\r\nSet-Cookie: b")),
    with_fields("a Server of the application's", (b"server", b"mine")),
    with_fields("a Date of the application's", (b"date", b"Thu, 01 Jan 1970 00:00:00 GMT")),
    response(
        "a redirect", start(302, (b"location", b"/there?x=1"), (b"content-length", b"0")), body()
    ),
    response(
        "tuples and lists",
        send(
            type="http.response.start",
            status=200,
            headers=[[b"content-length", b"2"], (b"x-a", b"1")],
        ),
        body(b"ok"),
    ),
    response(
        "a name for the server", start(200, LENGTH_2), body(b"ok"), flags=("-s", "mine", "-t", "1")
    ),
    response(
        "no name for the server",
        start(200, LENGTH_2),
        body(b"ok"),
        flags=("--no-server-name", "--websocket_connect_timeout", "1"),
    ),
]

ERRORS = [
    response("raises before the response", FAIL),
    response("raises before the response and on", FAIL, client=[KEPT, Answers(1), GET]),
    Case("raises before it reads", [GET], [FAIL]),
    response("raises after start", start(200), FAIL, finish=STAYS, server="raises after start"),
    response(
        "raises in the middle",
        start(200),
        body(b"part", True),
        FAIL,
        finish=STAYS,
        server="raises in the middle",
    ),
    response("raises after the response", start(200, LENGTH_2), body(b"ok"), FAIL),
    response("returns without a response", finish=STAYS),
    response("returns after start", start(200), finish=STAYS),
    response("returns in the middle", start(200), body(b"part", True), finish=STAYS),
    response("body before start", body(b"ok"), start(200, LENGTH_2), body(b"ok")),
    response("start twice", start(200, LENGTH_2), start(201), body(b"ok")),
    response(
        "start twice, the second after content",
        start(200),
        body(b"a", True),
        start(201),
        body(b"b"),
    ),
    response("no type", send(status=200), start(200, LENGTH_2), body(b"ok")),
    response("unknown type", send(type="http.nonsense"), start(200, LENGTH_2), body(b"ok")),
    response(
        "WebSocket's type", send(type="websocket.send", text="x"), start(200, LENGTH_2), body(b"ok")
    ),
    response("no status", send(type="http.response.start", headers=[]), body(b"ok")),
    response(
        "name that is str",
        (
            "send or fail",
            {"type": "http.response.start", "status": 200, "headers": [("x-a", b"1")]},
        ),
    ),
    response(
        "value that is str",
        (
            "send or fail",
            {"type": "http.response.start", "status": 200, "headers": [(b"x-a", "1")]},
        ),
    ),
    response(
        "messages after the response", start(200, LENGTH_2), body(b"ok"), body(b"more"), start(500)
    ),
    response("receive twice after the response", start(200, LENGTH_2), body(b"ok"), RECEIVE),
    response("no answer in time", ("sleep", 3.2), client=[GET], flags=("-s", "mine", "-t", "1")),
]

CASES = [*STATUSES, *FRAMING, *FIELDS, *ERRORS]
