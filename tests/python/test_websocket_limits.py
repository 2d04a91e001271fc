"""What a WebSocket may cost in time and memory, each limit set low by its flag."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from conftest import StartServer
from server_process import ServerProcess
from waiting import wait_until
from wire import BINARY, CLOSE, PING, PONG, TEXT, Wire, close_payload, frame

APP = "apps.probe:app"


def code_of(process: ServerProcess, key: str, within: float = 5) -> int:
    """The code of the disconnect that /echo/KEY has seen."""
    report = process.report(key, within)
    assert isinstance(report, dict)
    assert report["type"] == "websocket.disconnect"
    code = report["code"]
    assert isinstance(code, int)
    return code


# --- time ---


def test_age(server: StartServer, key: str) -> None:
    process = server(APP, "--websocket_timeout", "1")
    begun = time.monotonic()
    with process.connect().upgraded(f"/echo/{key}") as wire:
        wire.send_frame(TEXT, "busy")
        assert wire.read_frame() == (TEXT, b"busy")
        assert wire.read_close() == 1000
        assert 0.9 < time.monotonic() - begun < 5
        wire.send_frame(CLOSE, close_payload(1000))
        assert wire.is_closed()
    assert code_of(process, key) == 1000


def test_no_age(server: StartServer, key: str) -> None:
    with server(APP, "--websocket_timeout", "-1").connect().upgraded(f"/echo/{key}") as wire:
        assert wire.is_quiet(1)


def test_idle_time(server: StartServer, key: str) -> None:
    process = server(APP, "--timeout-websocket-idle", "1", "--ping-interval", "0.3")
    with process.connect().upgraded(f"/echo/{key}") as wire:
        wire.send_frame(TEXT, "hello")
        begun = time.monotonic()
        frames = []
        while not frames or frames[-1][0] != CLOSE:
            frames.append(wire.read_frame())
            if frames[-1][0] == PING:
                wire.send_frame(PONG)
        assert 0.9 < time.monotonic() - begun < 5
        assert frames[-1] == (CLOSE, close_payload(1000, "Idle for too long"))
        assert (PING, b"") in frames  # is no message


def test_time_for_the_answer_to_a_close(server: StartServer) -> None:
    process = server(APP, "--timeout-websocket-close", "0.5")
    with process.connect().upgraded("/close/4000") as wire:
        assert wire.read_close() == 4000
        begun = time.monotonic()
        assert wire.is_closed()
        assert 0.3 < time.monotonic() - begun < 3


def test_large_message_before_a_close_arrives_however_slowly(server: StartServer) -> None:
    process = server(APP, "--timeout-websocket-close", "0.5")
    with Wire.open((process.host, process.port), 4096).upgraded("/large/10000000") as wire:
        time.sleep(1.5)  # the time for an answer begins when the client has it all
        assert wire.read_frame() == (BINARY, b"\xa5" * 10_000_000)
        assert wire.read_close() == 1000


def test_busy_application_is_pinged_for(server: StartServer, key: str) -> None:
    """Pings need no receive(): the application waits for something else meanwhile."""
    process = server(APP, "--ping-interval", "0.3", "--ping-timeout", "0.5")
    with process.connect().upgraded(f"/busy/{key}") as wire:
        for _ in range(3):
            assert wire.read_frame() == (PING, b"")
            wire.send_frame(PONG)
    process.report(key)


def test_blocked_loop_is_not_the_clients_fault(server: StartServer, key: str) -> None:
    """What came in time counts, however late it is read."""
    process = server(APP, "--ping-interval", "0.3", "--ping-timeout", "0.5")
    with (
        process.connect().upgraded("/echo/any") as wire,
        process.connect().upgraded("/block") as blocker,
    ):
        assert wire.read_frame() == (PING, b"")
        blocker.send_frame(TEXT, "now")
        time.sleep(0.2)
        wire.send_frame(PONG)
        assert wire.read_frame() == (PING, b"")
        wire.send_frame(TEXT, "alive")
        assert wire.read_frame() == (TEXT, b"alive")


# --- size ---


@pytest.mark.parametrize(
    ("flag", "data", "fits"),
    [
        ("message", frame(BINARY, bytes(600), fin=False) + frame(0, bytes(401)), False),
        ("message", frame(BINARY, bytes(600), fin=False) + frame(0, bytes(400)), True),
        ("frame", frame(BINARY, bytes(600), fin=False) + frame(0, bytes(600)), True),
        ("frame", frame(BINARY, bytes(1001)), False),
    ],
)
def test_sizes(server: StartServer, flag: str, data: bytes, fits: bool) -> None:
    process = server(APP, f"--websocket-max-{flag}-size", "1000")
    with process.connect().upgraded("/echo/any") as wire:
        wire.send(data)
        if fits:
            assert wire.read_frame()[0] == BINARY
        else:
            assert wire.read_close() == 1009


def test_no_limits_of_size(server: StartServer) -> None:
    process = server(APP, "--websocket-max-message-size", "0", "--websocket-max-frame-size", "0")
    with process.connect().upgraded("/echo/any") as wire:
        wire.send_frame(BINARY, bytes(3_000_000))
        assert wire.read_frame() == (BINARY, bytes(3_000_000))


def unread_bytes(process: ServerProcess, wire: Wire) -> int:
    """What the kernel holds for the server, from /proc/net/tcp."""
    ends = f":{process.port:04X}", f":{wire.sock.getsockname()[1]:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if (fields[1][-5:], fields[2][-5:]) == ends:
            return int(fields[4].split(":")[1], 16)
    raise AssertionError("no such connection")


@pytest.mark.parametrize(("limit", "is_read"), [("10", False), ("11", True)])
def test_queue(server: StartServer, limit: str, is_read: bool) -> None:
    """Ten messages for an application that never receives: is an eleventh read?"""
    process = server(APP, "--limit-websocket-queue", limit)
    with process.connect().upgraded("/deaf") as wire:
        wire.send(frame(BINARY, b"x") * 10)
        wait_until(lambda: unread_bytes(process, wire) == 0)
        wire.send_frame(BINARY, b"x")
        if is_read:
            wait_until(lambda: unread_bytes(process, wire) == 0)
        else:
            time.sleep(0.3)
            assert unread_bytes(process, wire) > 0
