"""Messages of which only parts come: how long they may take, and what they may cost together."""

from __future__ import annotations

import time
import zlib
from contextlib import ExitStack

import pytest
from conftest import StartServer
from wire import BINARY, CLOSE, PING, TEXT, Wire, close_payload, frame

APP = "apps.probe:app"

OFFER = "Sec-WebSocket-Extensions: permessage-deflate"
MIB = 1 << 20
TOO_LONG = (CLOSE, close_payload(1008, "message took too long"))
TOO_MUCH = (CLOSE, close_payload(1013, "too many unfinished messages"))


def deflated(payload: bytes) -> bytes:
    """A frame with a compressed part of a message; more than its flush is still to come."""
    compressor = zlib.compressobj(wbits=-15)
    data = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return frame(BINARY, data, fin=False, rsv=4)


# --- time ---


@pytest.mark.parametrize(
    "more",
    [b"", b"\0", frame(0, b"x", fin=False), frame(PING)],
    ids=["nothing", "a byte", "a short frame", "a ping"],
)
def test_message_that_comes_too_slowly(server: StartServer, more: bytes) -> None:
    """What comes every now and then isn't enough."""
    process = server(APP, "--timeout-websocket-message", "1", "--ping-interval", "0")
    with process.connect().upgraded("/echo/any") as wire:
        begun = time.monotonic()
        part = frame(BINARY, b"begin", fin=False)
        wire.send(frame(BINARY, bytes(9000))[:-5000] if more == b"\0" else part)
        wire.sock.settimeout(0.2)
        while not wire.buffer.endswith(TOO_LONG[1]):
            if more:
                wire.send(more)
            try:
                assert wire.fill(), wire.buffer
            except TimeoutError:
                assert time.monotonic() - begun < 10
        assert time.monotonic() - begun > 0.9
    process.wait_for_log("message took too long")


def test_message_that_comes_on_takes_its_time(server: StartServer) -> None:
    process = server(APP, "--timeout-websocket-message", "1")
    with process.connect().upgraded("/echo/any") as wire:
        wire.send_frame(TEXT, "x" * 20_000, fin=False)
        for _ in range(10):
            time.sleep(0.3)
            wire.send_frame(0, "x" * 20_000, fin=False)
        wire.send_frame(0, "end")
        assert wire.read_frame() == (TEXT, b"x" * 220_000 + b"end")


def test_no_time(server: StartServer) -> None:
    process = server(APP, "--timeout-websocket-message", "0")
    with process.connect().upgraded("/echo/any") as wire:
        wire.send_frame(TEXT, "begin ", fin=False)
        assert wire.is_quiet(1.5)
        wire.send_frame(0, "end")
        assert wire.read_frame() == (TEXT, b"begin end")


# --- memory ---


@pytest.mark.parametrize("compressed", [True, False])
def test_memory_of_all_unfinished_messages(server: StartServer, compressed: bool) -> None:
    """A hundred clients with messages of 1 MiB but for the end, where eight have room."""
    process = server(APP, "--limit-websocket-unfinished", str(8 * MIB))
    process.get("/")
    part = deflated(bytes(MIB - 1)) if compressed else frame(BINARY, bytes(MIB - 1), fin=False)
    with ExitStack() as stack:
        before = process.memory()
        wires = [stack.enter_context(process.connect()) for _ in range(100)]
        for wire in wires:
            wire.upgrade("/echo/any", *([OFFER] if compressed else []))
        closed = 0
        for wire in wires:
            wire.send(part)
            wire.sock.settimeout(0.02)
            closed += not wire_is_open(wire)
        if not process.is_sanitized():
            assert process.memory() - before < 30 * MIB
        if closed < 92:
            time.sleep(0.5)
            closed = sum(not wire_is_open(wire) for wire in wires)
        assert 92 <= closed <= 94
        with process.connect().upgraded("/echo/whole") as whole:
            whole.send_frame(BINARY, bytes(20_000))
            assert whole.read_frame() == (BINARY, bytes(20_000))
    process.wait_for_log("too many unfinished messages")


def wire_is_open(wire: Wire) -> bool:
    """Whether no close frame has come, which must be the right one."""
    try:
        while not wire.buffer and wire.fill():
            pass
    except TimeoutError:
        return True
    assert wire.buffer[:2] == bytes([0x80 | CLOSE, len(TOO_MUCH[1])])
    return False


def test_one_message_alone_may_be_longer(server: StartServer) -> None:
    process = server(
        APP,
        *("--limit-websocket-unfinished", str(MIB)),
        *("--websocket-max-message-size", "0", "--websocket-max-frame-size", "0"),
    )
    with process.connect().upgraded("/echo/any") as wire:
        wire.send_frame(BINARY, bytes(5 * MIB))
        assert wire.read_frame() == (BINARY, bytes(5 * MIB))


def test_what_was_held_is_free_again(server: StartServer) -> None:
    process = server(APP, "--limit-websocket-unfinished", str(2 * MIB))
    part = frame(BINARY, bytes(MIB // 2), fin=False)
    for _ in range(5):
        with ExitStack() as stack:
            wires = [stack.enter_context(process.connect().upgraded("/echo/any")) for _ in range(2)]
            for wire in wires:
                wire.send(part)
            time.sleep(0.1)
            wires[0].send_frame(0, b"x")
            assert wires[0].read_frame() == (BINARY, bytes(MIB // 2) + b"x")
            wires[1].send_frame(CLOSE, close_payload(1000))
            assert wires[1].read_close() == 1000
