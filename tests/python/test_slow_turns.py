"""Time limits of a process whose event loop takes more than a second for each turn.

They end what takes too long all the same, one turn later at most, and nobody whose bytes came in
time.
"""

from __future__ import annotations

import time

import pytest
from conftest import StartServer
from wire import PING, PONG, TEXT, Wire

APP = "apps.quiet:app"

TURN = 1.2
LATEST = 15
"""Seconds in which a limit of 1 s must have had its way; a busy machine stretches the turns."""


def start(server: StartServer, *args: str) -> tuple[Wire, Wire]:
    """Two connections to a server of slow turns; the first has had a response."""
    process = server(APP, *args)
    first, second = process.connect(), process.connect()
    assert first.get(f"/plod/{TURN}").status == 200
    return first, second


@pytest.mark.parametrize(
    ("flag", "sent", "answer"),
    [
        ("--timeout-request-header", b"GET /answer/0 HTT", b"HTTP/1.1 408 "),
        (
            "--timeout-request-body",
            b"POST /read/0 HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nx",
            b"HTTP/1.1 408 ",
        ),
        ("--http-timeout", b"GET /answer/1000 HTTP/1.1\r\nHost: test\r\n\r\n", b"HTTP/1.1 503 "),
    ],
)
def test_limit_ends_what_takes_too_long(
    server: StartServer, flag: str, sent: bytes, answer: bytes
) -> None:
    first, second = start(server, flag, "1")
    with first, second:
        begun = time.monotonic()
        second.send(sent)
        assert second.read_to_end().startswith(answer)
        assert time.monotonic() - begun < LATEST


def test_quiet_connection_is_closed(server: StartServer) -> None:
    first, second = start(server, "--timeout-keep-alive", "1")
    with first, second:
        assert first.is_closed(LATEST)


def test_answer_that_came_in_time_counts(server: StartServer) -> None:
    """Each turn finds that the time is over, and the pong of the client, which wasn't slow."""
    first, second = start(server, "--ping-interval", "0.2", "--ping-timeout", "0.5")
    with first, second.upgraded("/accept/0") as wire:
        for _ in range(5):
            assert wire.read_frame() == (PING, b"")
            wire.send_frame(PONG)
        wire.send_frame(TEXT, "alive")
        frame = wire.read_frame()
        while frame == (PING, b""):
            wire.send_frame(PONG)
            frame = wire.read_frame()
        assert frame == (TEXT, b"alive")
