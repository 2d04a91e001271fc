"""Clients that send their last byte before they have read their answers, and those that are gone.

Both look alike at first. Nobody who still reads is cut as long as it is sent something every 2 s,
and the application hears soon of those who don't.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from apps.half_closed import LARGE, PIECES
from conftest import StartServer
from server_process import ServerProcess
from wire import Wire

APP = "apps.half_closed:app"

GRACE = 2.0
"""Seconds without anything sent after which a client that sends nothing more is gone."""
LATEST = GRACE + 2
"""The server looks every quarter of a second, and a busy machine takes its time."""
AT_ONCE = 1.0
"""What has nothing to do with the grace."""


def seconds_of(process: ServerProcess, name: str) -> float:
    """How long after its start the call heard that its client is gone."""
    report = process.report(name, LATEST + 2)
    assert isinstance(report, float), report
    return report


def half_close(wire: Wire) -> None:
    wire.sock.shutdown(socket.SHUT_WR)


def get(target: str) -> str:
    return f"GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture(params=["tcp", "unix"])
def process(request: pytest.FixtureRequest, server: StartServer, tmp_path: Path) -> ServerProcess:
    args = ("-u", str(tmp_path / "socket")) if request.param == "unix" else ()
    return server(APP, "--sendfile", *args)


# --- those who still read ---


def test_answer_after_the_end(process: ServerProcess) -> None:
    with process.connect() as wire:
        wire.request("/answer/1/name")
        half_close(wire)
        response = wire.response()
        assert (response.status, response.body) == (200, b"late")
        assert response.header("connection") == "close"
        assert wire.read_to_end() == b""
    assert process.report("name") == "sent"


def test_content_and_end_in_one(process: ServerProcess) -> None:
    with process.connect() as wire:
        wire.request("/answer/0.5", "POST", "Content-Length: 7", body=b"content")
        half_close(wire)
        assert wire.response().body == b"late"
        assert wire.read_to_end() == b""


def test_response_goes_on_after_the_end(process: ServerProcess) -> None:
    """It takes far longer than the grace, but never pauses so long."""
    with process.connect() as wire:
        wire.request("/stream/0.8/name")
        assert wire.head().status == 200
        half_close(wire)
        assert [wire.chunk() for _ in range(PIECES)] == [b"piece"] * PIECES
        assert [wire.chunk(), wire.chunk()] == [b"end", b""]
        assert wire.read_to_end() == b""
    assert process.report("name") == "sent"


def test_pipelined_requests_before_the_end(process: ServerProcess) -> None:
    """What breaks off is no request."""
    with process.connect() as wire:
        wire.send(get("/answer/1") * 3 + get("/answer/0/broken-off")[:-1])
        half_close(wire)
        responses = [wire.response() for _ in range(3)]
        assert [response.body for response in responses] == [b"late"] * 3
        assert wire.read_to_end() == b""
    assert process.get("/report/broken-off").status_code == 404
    with process.connect() as wire:
        wire.send(get("/answer/0.1") * 3)
        half_close(wire)
        responses = [wire.response() for _ in range(3)]
        assert [r.header("connection") for r in responses] == [None, None, "close"]
        assert wire.read_to_end() == b""


def test_many_pipelined_requests_before_the_end(process: ServerProcess) -> None:
    """More than the server takes in at once, and more responses than the kernel takes."""
    count = 40_000
    with process.connect() as wire:
        sender = socket.socket(fileno=wire.sock.detach())
        sender.settimeout(0.5)
        requests = memoryview(get("/answer/0").encode() * count)
        # Neither side reads in the end.
        sent = 0
        try:
            while sent < len(requests):
                sent += sender.send(requests[sent:])
        except TimeoutError:
            pass
        wire.sock = sender
        half_close(wire)
        sender.settimeout(15)
        data = wire.read_to_end()
        assert data.count(b"HTTP/1.1 200") == sent // len(get("/answer/0"))
        assert data.endswith(b"late")


def test_client_that_reads_late(process: ServerProcess) -> None:
    """Something waits for it, so it is --timeout-send that counts."""
    with process.connect() as wire:
        wire.request("/answer-much/0.2")
        half_close(wire)
        time.sleep(GRACE + 1.5)
        assert wire.response().body == LARGE
        assert wire.read_to_end() == b""


def test_file(process: ServerProcess, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(LARGE)
    with process.connect() as wire:
        wire.request(f"/file/1/name?{path}")
        half_close(wire)
        assert wire.head().status == 200
        assert wire.read(5_000_000) == LARGE[:5_000_000]
        time.sleep(GRACE + 1)
        assert wire.read_to_end() == LARGE[5_000_000:]
    assert process.report("name") == "sent"


def test_answer_during_the_drain(process: ServerProcess) -> None:
    with process.connect() as wire:
        wire.request("/answer/1")
        half_close(wire)
        time.sleep(0.2)
        process.send_signal()
        assert wire.response().body == b"late"
        assert wire.read_to_end() == b""
    assert process.wait() == 0


# --- those who are gone ---


@pytest.mark.parametrize("target", ["/events/0/name", "/wait/0/name"])
def test_idle_call_hears_soon(server: StartServer, target: str) -> None:
    process = server(APP)
    with process.connect() as wire:
        wire.request(target)
        half_close(wire)
        assert GRACE - 0.1 < seconds_of(process, "name") < LATEST
        wire.read_to_end()
    with process.connect() as wire:
        wire.request(target + "-closed")
        if target.startswith("/events"):
            wire.read_until(b"event\r\n")
        time.sleep(0.1)
    assert GRACE < seconds_of(process, "name-closed") < LATEST


def test_grace_counts_from_what_was_sent_last(server: StartServer) -> None:
    process = server(APP)
    with process.connect() as wire:
        wire.send(get("/answer/1.5") + get("/wait/0/name"))
        half_close(wire)
        assert wire.response().body == b"late"
        assert GRACE - 0.1 < seconds_of(process, "name") < LATEST


def test_what_is_sent_to_who_is_gone_tells(server: StartServer) -> None:
    """Its kernel answers the first event with a reset, which the second one meets."""
    process = server(APP)
    with process.connect() as wire:
        wire.request("/events/0.5/name")
        wire.read_until(b"event\r\n")
    assert seconds_of(process, "name") < LATEST


def test_reset_is_noticed_at_once(server: StartServer) -> None:
    """Who closes with unread bytes sends one."""
    process = server(APP)
    with process.connect() as wire:
        wire.request("/events/0/name")
        time.sleep(0.3)
    assert seconds_of(process, "name") < 0.3 + AT_ONCE
    wire = process.connect()
    wire.request("/wait/0/reset")
    time.sleep(0.1)
    wire.reset()
    assert seconds_of(process, "reset") < AT_ONCE


def test_unix_client_that_closes_is_noticed_at_once(server: StartServer, tmp_path: Path) -> None:
    """The kernel tells that apart from a half-close."""
    process = server(APP, "-u", str(tmp_path / "socket"))
    with process.connect() as wire:
        wire.request("/wait/0/name")
        time.sleep(0.1)
    assert seconds_of(process, "name") < AT_ONCE


def test_request_that_breaks_off_is_gone_at_once(server: StartServer) -> None:
    process = server(APP)
    with process.connect() as wire:
        wire.request("/wait/0/name", "POST", "Content-Length: 5", body=b"abc")
        time.sleep(0.1)
        half_close(wire)
        assert seconds_of(process, "name") < AT_ONCE


def test_websocket_without_closing_handshake_is_gone_at_once(server: StartServer) -> None:
    process = server(APP)
    with process.connect().upgraded("/accept/0/name") as wire:
        half_close(wire)
        assert seconds_of(process, "name") < AT_ONCE
        assert wire.read_to_end() == b""


def test_half_closed_clients_cost_no_cpu(server: StartServer) -> None:
    process = server(APP)
    process.get("/answer/0")
    wires = [process.connect() for _ in range(50)]
    for wire in wires:
        wire.request("/events/0/name")
        half_close(wire)
    time.sleep(0.3)
    before = process.cpu_seconds()
    time.sleep(1)
    assert process.cpu_seconds() - before < 0.05
    for wire in wires:
        wire.close()
