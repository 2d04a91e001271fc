"""What clients made the process take is the kernel's again soon after they have left."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from conftest import StartServer
from waiting import wait_until
from wire import BINARY, Wire, frame

MIB = 1 << 20
SIZE = 1_000_000
CLIENTS = 200
LEFT = 16 * MIB
"""What may be more than before: the interpreter has learnt something too."""
WITHIN = 30.0
"""Seconds: a few, unless a busy machine still works for those who have left."""

Client = Callable[[Wire], None]


def half_a_message(wire: Wire) -> None:
    wire.upgraded("/echo/any").send(frame(BINARY, bytes(SIZE), fin=False))


def half_a_compressed_message(wire: Wire) -> None:
    compressor = zlib.compressobj(wbits=-15)
    data = compressor.compress(bytes(SIZE)) + compressor.flush(zlib.Z_SYNC_FLUSH)
    wire.upgrade("/echo/any", "Sec-WebSocket-Extensions: permessage-deflate")
    wire.send(frame(BINARY, data, fin=False, rsv=4))


def most_of_a_request(wire: Wire) -> None:
    wire.request("/messages", "POST", f"Content-Length: {SIZE}", body=bytes(SIZE - 1))


def a_response_that_is_not_read(wire: Wire) -> None:
    wire.request("/whole-length/5000000")


@pytest.mark.parametrize(
    "client",
    [half_a_message, half_a_compressed_message, most_of_a_request, a_response_that_is_not_read],
)
def test_memory_is_given_back_when_clients_have_left(server: StartServer, client: Client) -> None:
    process = server("apps.probe:app", "--limit-websocket-unfinished", "0")
    if process.is_sanitized():
        pytest.skip("AddressSanitizer has a heap of its own")
    with process.connect() as wire:
        client(wire)
        process.get("/")
    before = process.memory()
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            wire = stack.enter_context(process.connect())
            client(wire)
            # Small things that stay, between the large ones.
            stack.enter_context(process.connect()).get("/")
        wait_until(lambda: process.memory() - before > CLIENTS * SIZE * 0.8)
        peak = process.memory()
    print(f"{(peak - before) / MIB:.0f} MiB at the peak")
    begun = time.monotonic()
    while process.memory() - before > LEFT and time.monotonic() - begun < WITHIN:
        process.get("/")  # a little traffic, as there is in a process that serves
        time.sleep(0.1)
    left = process.memory() - before
    print(f"{left / MIB:.1f} MiB more than before {time.monotonic() - begun:.1f} s later")
    assert left < LEFT
