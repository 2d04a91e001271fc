"""Content of HTTP requests, and back-pressure in both directions (ASGI HTTP 2.5, RFC 9112)."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from conftest import StartServer
from server_process import ServerProcess
from waiting import bytes_sent_until_stalled, expect_failed_send, wait_until
from wire import Wire

MIB = 1 << 20


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


# --- back-pressure ---


def test_send_waits_for_a_client_that_does_not_read(probe: ServerProcess, key: str) -> None:
    address = (probe.host, probe.port)
    with Wire.open(address, receive_buffer=8192) as wire:
        wire.request(f"/stalled-download/{key}")
        taken = bytes_sent_until_stalled(probe, key)
        wire.read(4 * MIB)
        wait_until(lambda: probe.report(key) != taken)
    expect_failed_send(probe, key)


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
