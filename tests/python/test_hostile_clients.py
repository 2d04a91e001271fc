"""Many clients at once that hold on to connections, and clients that come only to go.

TEST_HOSTILE_CLIENTS and TEST_RESETS are how many there are.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, suppress

import pytest
from conftest import StartServer
from processes import descriptors_of
from server_process import ServerProcess
from wire import Wire

APP = "apps.slow_clients:app"
pytestmark = pytest.mark.usefixtures("enough_descriptors")
CLIENTS = int(os.environ.get("TEST_HOSTILE_CLIENTS", "300"))
RESETS = int(os.environ.get("TEST_RESETS", "5000"))
LIMIT = 2 + CLIENTS / 400
"""Seconds: what every time limit is set to."""
MOST_BYTES_PER_CLIENT = 64 * 1024
SANITIZER_BYTES = 16 * 1024 * 1024
"""AddressSanitizer's quarantine of freed memory (`scripts/test` sets 8 MiB), with its padding."""

HEADER = b"GET / HTTP/1.1\r\nHost: test\r\nx: "
BODY = b"POST /upload/drip HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n"
DOWNLOAD = b"GET /download/unread HTTP/1.1\r\nHost: test\r\n\r\n"


def descriptors_in_the_end(process: ServerProcess, goal: int, within: float) -> int:
    end = time.monotonic() + within
    while (now := descriptors_of(process.process.pid)) > goal and time.monotonic() < end:
        time.sleep(0.05)
    return now


def latencies(process: ServerProcess, count: int) -> list[float]:
    """What other clients wait for a response, each on a connection of its own."""
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        with process.connect() as wire:
            assert wire.get("/").status == 200
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)


@pytest.mark.parametrize(
    ("beginning", "drips"),
    [(HEADER, True), (BODY, True), (DOWNLOAD, False)],
    ids=["a header byte a second", "a body byte a second", "an unread response of 100 MB"],
)
def test_many_clients_that_hold_on(server: StartServer, beginning: bytes, drips: bool) -> None:
    flags = []
    for what in ("request-header", "request-body", "send", "keep-alive"):
        flags += [f"--timeout-{what}", str(LIMIT)]
    process = server(APP, *flags)
    alone = latencies(process, 200)
    descriptors_at_start = descriptors_in_the_end(process, 0, 0.5)
    memory_at_start = process.memory()
    with ExitStack() as stack:
        address = (process.host, process.port)
        # A small buffer, so that the kernel doesn't read the response in their place.
        clients = [
            stack.enter_context(Wire.open(address, receive_buffer=4096)) for _ in range(CLIENTS)
        ]
        for client in clients:
            client.send(beginning)
        crowded: list[float] = []
        memory = 0
        for _ in range(int(LIMIT)):  # seconds
            for client in clients if drips else []:
                with suppress(OSError):  # its time may be over
                    client.send(b"x")
            second = time.monotonic() + 1
            while time.monotonic() < second:
                crowded += latencies(process, 10)
                memory = max(memory, process.memory())
        crowded.sort()
        quarantined = SANITIZER_BYTES if process.is_sanitized() and not drips else 0
        per_client = (memory - memory_at_start - quarantined) / CLIENTS
        print(
            f"p99 {alone[len(alone) * 99 // 100] * 1e3:.1f} ms alone, "
            f"{crowded[len(crowded) * 99 // 100] * 1e3:.1f} ms crowded; "
            f"{per_client / 1024:.1f} KiB for each of {CLIENTS}"
        )
        assert crowded[len(crowded) // 2] < 0.5
        assert per_client <= MOST_BYTES_PER_CLIENT
        # Twice: a client that doesn't read is looked at only when its time is over. And some more
        # for a busy machine.
        within = 2 * LIMIT + 30
        assert descriptors_in_the_end(process, descriptors_at_start, within) == descriptors_at_start
    assert process.get("/").status_code == 200


def test_many_clients_that_come_and_reset(server: StartServer) -> None:
    process = server(APP)
    beginnings = (b"", HEADER, BODY, DOWNLOAD, b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")

    def come_and_reset(times: int) -> None:
        for number in range(times):
            client = process.connect()
            client.send(beginnings[number % len(beginnings)])
            client.reset()
            # How many are there at a time is not the question, and up to the machine otherwise.
            if number % 100 == 99:
                assert process.get("/").status_code == 200

    descriptors_at_start = descriptors_in_the_end(process, 0, 0.5)
    come_and_reset(1000)  # what is needed once is there
    memory = process.memory()
    come_and_reset(RESETS)
    left = descriptors_in_the_end(process, descriptors_at_start, 5)
    growth = process.memory() - memory
    print(f"{growth / 1024:.0f} KiB after {RESETS} resets")
    assert left == descriptors_at_start
    if not process.is_sanitized():  # AddressSanitizer keeps what is freed for a while
        assert growth <= 2 * 1024 * 1024
