"""Requests that are none, and requests that only look like it (RFC 9110 and 9112)."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from server_process import ServerProcess, lines_about
from waiting import wait_until
from wire import Wire

GET = "GET / HTTP/1.1\r\nHost: test\r\n"
POST = "POST /digest HTTP/1.1\r\nHost: test\r\n"
MALFORMED = {
    "garbage": ("GARBAGE\r\n\r\n", {400}),
    "tls hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), {400}),
    "no version": ("GET /\r\n\r\n", {400, 505}),
    "bad version": ("GET / HTTP/1.x\r\nHost: a\r\n\r\n", {400, 505}),
    "http/2": ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", {400, 505}),
    "http/2 preface": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 405, 501, 505}),
    "no host": ("GET / HTTP/1.1\r\n\r\n", {400}),
    "two hosts": ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {400}),
    "bad method": ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "space in target": ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "control in target": ("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "space before colon": (GET + "X-A : b\r\n\r\n", {400}),
    "header without colon": (GET + "X-A\r\n\r\n", {400}),
    "folded header": (GET + "X-A: b\r\n c\r\n\r\n", {400}),
    "nul in value": (GET + "X-A: b\0c\r\n\r\n", {400}),
    "cr in value": (GET + "X-A: b\rc\r\n\r\n", {400}),
    "two lengths": (POST + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", {400}),
    "length list": (POST + "Content-Length: 3, 4\r\n\r\nabcd", {400}),
    "length and chunked": (
        POST + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        {400},
    ),
    "negative length": (POST + "Content-Length: -3\r\n\r\nabc", {400}),
    "plus in length": (POST + "Content-Length: +3\r\n\r\nabc", {400}),
    "length is text": (POST + "Content-Length: abc\r\n\r\n", {400}),
    "huge length": (POST + "Content-Length: 99999999999999999999999\r\n\r\n", {400, 413}),
    "unknown coding": (POST + "Transfer-Encoding: gzip\r\n\r\n", {400, 501}),
    "chunked twice": (POST + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", {400, 501}),
    "chunked not last": (POST + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", {400, 501}),
    "chunked in 1.0": (
        "POST /digest HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        {400, 501},
    ),
    "long target": ("GET /" + "a" * 100_000 + " HTTP/1.1\r\nHost: a\r\n\r\n", {414}),
    "long header": (GET + "X-A: " + "a" * 200_000 + "\r\n\r\n", {431}),
    "many headers": (GET + "X-A: b\r\n" * 5000 + "\r\n", {431}),
    "connect": (
        "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
        {400, 405, 501},
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_request(probe: ServerProcess, key: str, case: str) -> None:
    request, statuses = MALFORMED[case]
    begin, log = len(probe.access_log()), len(probe.log())
    with probe.connect() as wire:
        client = wire.name
        with suppress(ConnectionError):  # Answered and closed before it was all sent.
            wire.send(request)
        response = wire.response()
        assert response.status in statuses
        assert response.header("connection") == "close"
        assert len(response.body) < 500
        assert wire.read_to_end() == b""
    assert probe.get(f"/?{key}").text == "hello"
    wait_until(lambda: key in probe.access_log())
    assert len(lines_about(client, probe.access_log()[begin:])) == 1
    # None when there were many like it just now.
    assert len(lines_about(client, probe.log()[log:])) <= 1


def test_malformed_chunk_ends_the_connection(probe: ServerProcess, key: str) -> None:
    with probe.connect() as wire:
        wire.request(f"/digest/{key}", "POST", "Transfer-Encoding: chunked", body=b"3\r\nabc\r\n")
        time.sleep(0.2)  # The application runs and has taken the first chunk.
        wire.send("xyz\r\n")
        data = wire.read_to_end()
        assert data == b"" or data.startswith(b"HTTP/1.1 400 ")
    assert probe.report(key) == {"disconnected after": 3}


def test_good_request_before_a_malformed_one_is_answered(wire: Wire) -> None:
    wire.send(GET + "\r\nGARBAGE\r\n\r\n")
    assert wire.response().body == b"hello"
    assert wire.response().status == 400
    assert wire.is_closed()


def test_empty_line_before_a_request_is_skipped(wire: Wire) -> None:
    wire.send("\r\n" + GET + "\r\n")
    assert wire.response().body == b"hello"


def test_upgrade_to_something_unknown_is_plain_http(wire: Wire) -> None:
    wire.request(
        "/", "GET", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: "
    )
    assert wire.response().body == b"hello"
    assert wire.get("/").body == b"hello"
