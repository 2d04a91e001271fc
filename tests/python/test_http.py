"""HTTP as a client sees it and as an application sees it (ASGI HTTP 2.5, RFC 9110 and 9112)."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import StartServer
from server_process import ServerProcess, lines_about
from waiting import wait_until
from wire import Wire

MIB = 1 << 20


def scope_of(wire: Wire, target: str, *headers: str, method: str = "GET") -> dict[str, Any]:
    wire.request(target, method, *headers)
    response = wire.response()
    assert response.status == 200
    scope: dict[str, Any] = ast.literal_eval(response.body.decode())
    return scope


# --- scope ---


def test_scope_on_tcp(wire: Wire, probe: ServerProcess) -> None:
    scope = scope_of(wire, "/scope/a%20b%2Fc%C3%A9?q=%20x&y", "X-One: 1", "x-TWO:  2 ", "X-One: 3")
    extensions = scope.pop("extensions", {})
    assert isinstance(extensions, dict)
    assert "tls" not in extensions
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": scope["asgi"]["spec_version"]},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/scope/a b/cé",
        "raw_path": b"/scope/a%20b%2Fc%C3%A9",
        "query_string": b"q=%20x&y",
        "root_path": "",
        "headers": scope["headers"],
        "client": scope["client"],
        "server": scope["server"],
    }
    assert scope["asgi"]["spec_version"] == "2.3"
    assert [tuple(pair) for pair in scope["headers"]] == [
        (b"host", b"test"),
        (b"x-one", b"1"),
        (b"x-two", b"2"),
        (b"x-one", b"3"),
    ]
    assert list(scope["client"]) == ["127.0.0.1", wire.sock.getsockname()[1]]
    assert list(scope["server"]) == ["127.0.0.1", probe.port]


def test_fields_with_an_underscore_never_reach_the_application(wire: Wire) -> None:
    scope = scope_of(wire, "/scope", "X_Remote_User: forged", "_: 1", "X-Remote-User: bob")
    assert [tuple(pair) for pair in scope["headers"]] == [
        (b"host", b"test"),
        (b"x-remote-user", b"bob"),
    ]


def test_types_in_the_scope_are_plain(wire: Wire) -> None:
    types = json.loads(wire.get("/scope-types").body)
    sequences = {"list", "tuple"}
    assert types.pop("scope itself") == "dict"
    assert types.pop("one header") in sequences
    assert types.pop("client") in sequences
    assert types.pop("server") in sequences
    assert types.pop("headers") in sequences
    assert types.pop("header parts") == "bytes bytes"
    assert types.pop("client parts") == "str int"
    assert types.pop("asgi") == "dict"
    assert types.pop("extensions", "dict") == "dict"
    assert {name for name, kind in types.items() if kind == "bytes"} == {"raw_path", "query_string"}
    assert set(types.values()) == {"bytes", "str"}


def test_scope_of_http_1_0(wire: Wire) -> None:
    wire.send("GET /scope HTTP/1.0\r\n\r\n")
    scope = ast.literal_eval(wire.response().body.decode())
    assert scope["http_version"] == "1.0"
    assert scope["headers"] == []


def test_scope_on_ipv6(server: StartServer) -> None:
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    process = server("apps.probe:app", "-b", "::1", "-p", "0")
    with process.connect() as wire:
        scope = scope_of(wire, "/scope")
        assert list(scope["client"]) == ["::1", wire.sock.getsockname()[1]]
        assert list(scope["server"]) == ["::1", process.port]


def test_scope_on_a_unix_socket(server: StartServer, tmp_path: Path) -> None:
    path = str(tmp_path / "server.sock")
    with server("apps.probe:app", "-u", path).connect() as wire:
        scope = scope_of(wire, "/scope")
        assert scope["client"] is None
        assert list(scope["server"]) == [path, None]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_method(wire: Wire, method: str) -> None:
    assert scope_of(wire, "/scope", method=method)["method"] == method


def test_path_that_is_no_utf_8(wire: Wire) -> None:
    scope = scope_of(wire, "/scope/%ff%")
    assert scope["path"] == "/scope/\ufffd%"
    assert scope["raw_path"] == b"/scope/%ff%"


def test_query_string_is_kept_as_it_is(wire: Wire) -> None:
    assert scope_of(wire, "/scope?")["query_string"] == b""
    assert scope_of(wire, "/scope?a=%26&b=?/")["query_string"] == b"a=%26&b=?/"


def test_absolute_form_of_the_target(wire: Wire) -> None:
    scope = scope_of(wire, "http://test/scope?q")
    assert (scope["path"], scope["query_string"]) == ("/scope", b"q")
    assert wire.get("http://elsewhere.example/scope").status == 400  # Not what Host says.


def test_header_values_are_bytes_as_they_came(wire: Wire) -> None:
    headers = scope_of(wire, "/scope", "X-Latin: \xe4\xff", "Cookie: a=1", "Cookie: b=2")["headers"]
    assert (b"x-latin", b"\xe4\xff") in map(tuple, headers)
    assert [value for name, value in headers if name == b"cookie"] == [b"a=1", b"b=2"]


def test_no_state_without_lifespan(wire: Wire) -> None:
    assert wire.get("/state").body in (b"None", b"{}")
    assert wire.get("/state").body in (b"None", b"{}")


# --- request content ---


def test_request_without_content_is_one_message(wire: Wire) -> None:
    messages = ast.literal_eval(wire.get("/messages").body.decode())
    assert messages == [{"type": "http.request", "body": b"", "more_body": False}]


def test_content_with_a_length(wire: Wire) -> None:
    wire.request("/messages", "POST", "Content-Length: 5", body=b"hello")
    messages = ast.literal_eval(wire.response().body.decode())
    assert b"".join(m["body"] for m in messages) == b"hello"
    assert [m["more_body"] for m in messages] == [True] * (len(messages) - 1) + [False]


def test_chunked_content_is_decoded(wire: Wire) -> None:
    content = b"5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: dropped\r\n\r\n"
    wire.request("/digest", "POST", "Transfer-Encoding: chunked", body=content)
    assert json.loads(wire.response().body)["sha256"] == hashlib.sha256(b"hello world").hexdigest()
    assert wire.get("/").body == b"hello"  # The connection is still in step.


def begin_echo(wire: Wire) -> None:
    """Sends a first chunk and gets it back; the application waits for the next."""
    wire.request("/echo", "POST", "Transfer-Encoding: chunked")
    wire.send("3\r\none\r\n")
    assert wire.head().status == 200
    assert wire.chunk() == b"one"


def test_content_arrives_while_the_client_still_sends(wire: Wire) -> None:
    begin_echo(wire)
    wire.send("3\r\ntwo\r\n")
    assert wire.chunk() == b"two"
    wire.send("0\r\n\r\n")
    assert wire.chunk() == b""
    assert wire.get("/").body == b"hello"


def test_what_arrives_together_while_the_application_waits_is_one_message(wire: Wire) -> None:
    begin_echo(wire)
    wire.send("3\r\ntwo\r\n5\r\nthree\r\n4\r\nfour\r\n")
    assert wire.chunk() == b"twothreefour"
    wire.send("4\r\nfive\r\n3\r\nsix\r\n0\r\n\r\n")
    assert wire.chunk() == b"fivesix"
    assert wire.chunk() == b""
    assert wire.get("/").body == b"hello"


def test_expect_100_continue(wire: Wire) -> None:
    wire.request("/digest", "POST", "Content-Length: 5", "Expect: 100-continue")
    interim = wire.head()
    assert (interim.status, interim.headers) == (100, [])
    wire.send("hello")
    assert json.loads(wire.response().body)["size"] == 5
    assert wire.get("/").body == b"hello"


def test_no_100_continue_when_the_application_does_not_read(wire: Wire) -> None:
    wire.request("/ignore-content", "POST", "Content-Length: 5", "Expect: 100-continue")
    response = wire.response()
    assert (response.status, response.body) == (200, b"ignored")


def test_unknown_expectation_is_417_or_ignored(wire: Wire) -> None:
    wire.request("/", "GET", "Expect: miracles")
    assert wire.response().status in (200, 417)


def test_content_that_the_application_ignores(wire: Wire) -> None:
    wire.request("/ignore-content", "POST", "Content-Length: 5", body=b"hello")
    response = wire.response()
    assert response.body == b"ignored"
    if response.header("connection") != "close":
        assert wire.get("/").body == b"hello"


def test_large_content_that_the_application_ignores(probe: ServerProcess) -> None:
    """The answer must reach a client that is still sending."""
    with httpx.Client(timeout=10, trust_env=False) as client:
        response = client.post(f"{probe.url}/ignore-content", content=bytes(8 * MIB))
        assert response.text == "ignored"
    assert probe.get("/").text == "hello"


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_1_mib_in_and_out(probe: ServerProcess, framing: str) -> None:
    data = os.urandom(MIB)

    def pieces() -> Iterator[bytes]:
        for start in range(0, MIB, 10_000):
            yield data[start : start + 10_000]

    with httpx.Client(timeout=20, trust_env=False) as client:
        content: Any = data if framing == "length" else pieces()
        assert client.post(f"{probe.url}/echo", content=content).content == data
        assert client.get(f"{probe.url}/whole-length/{MIB}").content == b"x" * MIB


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


# --- back-pressure ---


def test_send_waits_for_a_client_that_does_not_read(probe: ServerProcess, key: str) -> None:
    address = (probe.host, probe.port)
    with Wire.open(address, receive_buffer=8192) as wire:
        wire.request(f"/stalled-download/{key}")
        probe.report(key)
        time.sleep(0.5)
        taken = probe.report(key)
        time.sleep(0.5)
        assert probe.report(key) == taken, "send() goes on although nobody reads"
        assert isinstance(taken, int)
        assert taken < 16 * MIB  # What the kernel's socket buffers take, and little more.
        wire.read(4 * MIB)
        wait_until(lambda: probe.report(key) != taken)
    end = probe.report(f"{key}-end")
    assert isinstance(end, dict)
    assert "OSError" in end["bases"]


def test_reading_waits_for_an_application_that_does_not_receive(
    server: StartServer, key: str
) -> None:
    process = server("apps.probe:app")
    process.get("/")
    before = process.memory()
    with process.connect() as wire:
        wire.request(f"/slow-reader/{key}", "POST", f"Content-Length: {64 * MIB}")
        done = threading.Event()

        def upload() -> None:
            for _ in range(64):
                wire.send(bytes(MIB))
            done.set()

        thread = threading.Thread(target=upload)
        thread.start()
        time.sleep(0.7)
        assert not done.is_set(), "the server took 64 MiB that the application did not want"
        assert process.memory() - before < 8 * MIB
        answer = json.loads(wire.response().body)
        thread.join()
        assert answer["size"] == 64 * MIB
        assert answer["largest"] < 2 * MIB


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_200_mb_upload_in_bounded_memory(server: StartServer, framing: str) -> None:
    process = server("apps.probe:app")
    process.get("/")
    before = peak = process.memory()
    piece, count = os.urandom(MIB), 200
    with process.connect() as wire:
        if framing == "length":
            wire.request("/digest", "POST", f"Content-Length: {count * MIB}")
        else:
            wire.request("/digest", "POST", "Transfer-Encoding: chunked")
        for _ in range(count):
            wire.send(piece if framing == "length" else b"%x\r\n%b\r\n" % (MIB, piece))
            peak = max(peak, process.memory())
        if framing == "chunked":
            wire.send("0\r\n\r\n")
        answer = json.loads(wire.response().body)
    assert answer["size"] == count * MIB
    assert answer["sha256"] == hashlib.sha256(piece * count).hexdigest()
    assert peak - before < 60 * MIB


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_200_mb_download_in_bounded_memory(server: StartServer, framing: str) -> None:
    process = server("apps.probe:app")
    process.get("/")
    before = peak = process.memory()
    expected = b"0123456789abcdef" * 4096
    with process.connect() as wire:
        wire.request(f"/download/200/{framing}")
        head = wire.head()
        assert head.status == 200
        assert head.header("content-length") == (str(200 * MIB) if framing == "length" else None)
        for number in range(200 * 16):
            data = wire.read(65536) if framing == "length" else wire.chunk()
            assert data == expected
            if number % 16 == 0:
                peak = max(peak, process.memory())
        if framing == "chunked":
            assert wire.chunk() == b""
        assert wire.get("/").body == b"hello"
    assert peak - before < 60 * MIB


# --- requests that are none ---

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
