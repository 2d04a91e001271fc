"""HTTP responses as a client sees them: framing, persistence, pipelining, the access log's line.

Requests are in test_http_scope.py, test_http_content.py and test_http_malformed.py, failures in
test_http_failures.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from server_process import ServerProcess
from waiting import wait_until
from wire import Wire

MIB = 1 << 20


# --- framing and persistence of responses ---


def test_keep_alive(wire: Wire) -> None:
    for _ in range(3):
        response = wire.get("/")
        assert (response.version, response.status, response.reason) == ("HTTP/1.1", 200, "OK")
        assert response.header("content-length") == "5"
        assert response.header("connection") is None
        assert response.body == b"hello"


def test_default_headers(wire: Wire) -> None:
    response = wire.get("/")
    assert response.header("server") == "cppasgi"
    date = response.header("date")
    assert date is not None
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", date)


def test_own_server_and_date_are_not_doubled(wire: Wire) -> None:
    response = wire.get("/set-headers?server=mine&date=yesterday")
    assert response.all("server") == ["mine"]
    assert response.all("date") == ["yesterday"]


def test_connection_close_of_the_client(wire: Wire) -> None:
    assert wire.get("/", "Connection: close").header("connection") == "close"
    assert wire.is_closed()


def test_connection_close_of_the_application(wire: Wire) -> None:
    assert wire.get("/set-headers?connection=close").header("connection") == "close"
    assert wire.is_closed()


def test_http_1_0_closes(wire: Wire) -> None:
    wire.send("GET / HTTP/1.0\r\n\r\n")
    response = wire.response()
    assert response.body == b"hello"
    assert response.header("transfer-encoding") is None
    assert wire.is_closed()


def test_http_1_0_keep_alive_is_announced_if_it_is_kept(wire: Wire) -> None:
    wire.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    response = wire.response()
    assert response.body == b"hello"
    if (response.header("connection") or "").lower() == "keep-alive":
        wire.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert wire.response().body == b"hello"
    else:
        assert wire.is_closed()


def test_http_1_0_content_without_length_ends_with_the_connection(wire: Wire) -> None:
    wire.send("GET /chunks/3 HTTP/1.0\r\n\r\n")
    response = wire.head()
    assert response.header("transfer-encoding") is None
    assert response.header("content-length") is None
    assert wire.read_to_end() == b"piece 0\npiece 1\npiece 2\n"


def test_content_without_length_is_chunked(wire: Wire) -> None:
    response = wire.get("/chunks/3")
    assert response.header("transfer-encoding") == "chunked"
    assert response.header("content-length") is None
    assert response.body == b"piece 0\npiece 1\npiece 2\n"
    assert wire.get("/").body == b"hello"


def test_optional_keys_may_be_missing(wire: Wire) -> None:
    response = wire.get("/minimal")
    assert (response.status, response.body) == (200, b"")
    assert wire.get("/").body == b"hello"


def test_pieces_are_sent_at_once(wire: Wire) -> None:
    """A client may react to a piece before the next one exists."""
    wire.request("/stepwise", "POST", "Transfer-Encoding: chunked")
    wire.head()
    assert wire.chunk() == b"first"
    wire.send("2\r\nok\r\n0\r\n\r\n")
    assert wire.chunk() == b"second"


@pytest.mark.parametrize("target", ["/", "/chunks/3", "/status/200"])
def test_head_has_the_headers_of_get_and_no_content(wire: Wire, target: str) -> None:
    get = wire.get(target)
    head = wire.get(target, method="HEAD")
    assert head.status == get.status
    for name in ("content-length", "content-type"):
        if head.header(name) is not None:
            assert head.header(name) == get.header(name)
    assert wire.get("/").body == b"hello"  # Nothing was left between the responses.


@pytest.mark.parametrize("status", [204, 304])
def test_no_content_with_204_and_304(wire: Wire, status: int) -> None:
    response = wire.get(f"/status/{status}")
    assert response.status == status
    assert response.header("transfer-encoding") is None
    if status == 204:
        assert response.header("content-length") is None
    assert wire.get("/").body == b"hello"


@pytest.mark.parametrize(
    ("status", "reason"),
    [(200, "OK"), (201, "Created"), (404, "Not Found"), (418, None), (503, "Service Unavailable")],
)
def test_status_line(wire: Wire, status: int, reason: str | None) -> None:
    response = wire.get(f"/status/{status}")
    assert response.status == status
    if reason is not None:
        assert response.reason == reason
    assert response.body == b"content"


def test_unknown_status(wire: Wire) -> None:
    assert wire.get("/status/299").status == 299


def test_response_headers_keep_order_and_duplicates(wire: Wire) -> None:
    headers = [(n.lower(), v) for n, v in wire.get("/status/200").headers if n.lower() != "date"]
    assert [pair for pair in headers if pair[0].startswith("x-")] == [
        ("x-one", "1"),
        ("x-two", "2"),
        ("x-one", "3"),
    ]


def test_transfer_encoding_of_the_application_is_ignored(wire: Wire) -> None:
    response = wire.get("/set-headers?transfer-encoding=gzip&content-length=4")
    assert response.header("transfer-encoding") is None
    assert response.body == b"four"
    response = wire.get("/set-headers?transfer-encoding=chunked")
    assert response.body == b"four"
    assert wire.get("/").body == b"hello"


def test_pipelining_is_answered_in_order(wire: Wire) -> None:
    one = b"GET /%s HTTP/1.1\r\nHost: test\r\n\r\n"
    post = b"POST /digest HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc"
    wire.send(one % b"sleep/0.2" + one % b"" + post + one % b"chunks/2" + one % b"status/404")
    assert wire.response().body == b"slept"
    assert wire.response().body == b"hello"
    assert json.loads(wire.response().body)["size"] == 3
    assert wire.response().body == b"piece 0\npiece 1\n"
    assert wire.response().status == 404


def test_many_pipelined_requests(wire: Wire) -> None:
    count = 2000
    sender = threading.Thread(
        target=wire.send, args=(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" * count,)
    )
    sender.start()
    for _ in range(count):
        assert wire.response().body == b"hello"
    sender.join()
    assert wire.is_quiet(0.1)


def test_request_byte_by_byte(wire: Wire) -> None:
    request = b"POST /digest HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
    wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in request + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n":
        wire.send(bytes([byte]))
        time.sleep(0.0005)
    assert json.loads(wire.response().body)["sha256"] == hashlib.sha256(b"abcde").hexdigest()


def test_concurrent_connections_do_not_wait_for_one_another(probe: ServerProcess) -> None:
    wires = [probe.connect() for _ in range(40)]
    begun = time.monotonic()
    for wire in wires:
        wire.request("/sleep/0.3")
    for wire in wires:
        assert wire.response().body == b"slept"
        wire.close()
    assert time.monotonic() - begun < 3


# --- log lines ---


def test_access_log_line(probe: ServerProcess, key: str) -> None:
    with probe.connect() as wire:
        port = wire.sock.getsockname()[1]
        wire.get(f"/status/404?{key}=%20")
    wait_until(lambda: key in probe.access_log())
    (line,) = [line for line in probe.access_log().splitlines() if key in line]
    start, _, rest = line.partition(" - - [")
    assert start == f"127.0.0.1:{port}"
    assert re.fullmatch(rf'[^]]+\] "GET /status/404\?{key}=%20" 404 7', rest), line


# --- other clients ---


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(probe: ServerProcess, tmp_path: Path) -> None:
    def curl(*args: str) -> bytes:
        command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", *args]
        return subprocess.run(command, check=True, capture_output=True).stdout

    assert curl(f"{probe.url}/") == b"hello"
    head = curl("--head", f"{probe.url}/")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    upload = tmp_path / "upload"
    upload.write_bytes(os.urandom(3 * MIB))
    # curl sends "Expect: 100-continue" with a body of this size.
    answer = json.loads(curl("--data-binary", f"@{upload}", f"{probe.url}/digest"))
    assert answer["sha256"] == hashlib.sha256(upload.read_bytes()).hexdigest()
    chunked = ["-H", "Transfer-Encoding: chunked", "--data-binary", f"@{upload}"]
    assert curl(*chunked, f"{probe.url}/echo") == upload.read_bytes()
    assert curl("--http1.0", f"{probe.url}/chunks/2") == b"piece 0\npiece 1\n"
    assert curl("--http2", f"{probe.url}/") == b"hello"


def test_aiohttp(probe: ServerProcess) -> None:
    import asyncio

    import aiohttp

    async def talk() -> None:
        async with aiohttp.ClientSession() as session:
            data = os.urandom(MIB)

            async def one(number: int) -> None:
                async with session.post(f"{probe.url}/echo", data=data[number:]) as response:
                    assert await response.read() == data[number:]
                async with session.get(f"{probe.url}/chunks/{number}") as response:
                    assert (await response.read()).count(b"\n") == number

            await asyncio.gather(*(one(number) for number in range(10)))

    asyncio.run(talk())
