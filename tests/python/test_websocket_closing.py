"""How a WebSocket ends: by either side, by its loss, by wrong frames (RFC 6455 7)."""

from __future__ import annotations

import struct
import time
from contextlib import suppress

import pytest
from conftest import StartServer
from server_process import ServerProcess
from waiting import wait_until
from wire import BINARY, CLOSE, PING, TEXT, Wire, close_payload, frame

MIB = 1 << 20


# --- closing ---


def test_code_and_reason_from_the_client(probe: ServerProcess, key: str) -> None:
    with probe.connect() as wire:
        wire.upgraded(f"/echo/{key}")
        wire.send_frame(CLOSE, close_payload(4321, "schlüss"))
        assert wire.read_close() == 4321
        assert wire.is_closed()
    expected = {"type": "websocket.disconnect", "code": 4321, "reason": "schlüss"}
    assert probe.report(key) == expected


def test_close_without_a_code_is_1005(probe: ServerProcess, key: str) -> None:
    with probe.connect() as wire:
        wire.upgraded(f"/echo/{key}")
        wire.send_frame(CLOSE)
        assert wire.read_close() in (None, 1000)
        assert wire.is_closed()
    report = probe.report(key)
    assert isinstance(report, dict)
    assert report["code"] == 1005


@pytest.mark.parametrize("how", ["close", "reset"])
def test_loss_of_the_connection_is_1006(server: StartServer, key: str, how: str) -> None:
    process = server()
    wire = process.connect()
    wire.upgraded(f"/echo/{key}")
    getattr(wire, how)()
    report = process.report(key, timeout=2)
    assert isinstance(report, dict)
    assert (report["type"], report["code"]) == ("websocket.disconnect", 1006)
    assert "Traceback" not in process.log()


@pytest.mark.parametrize(
    ("rest", "code", "reason"),
    [("", 1000, b""), ("4001", 4001, b""), ("4001/tired", 4001, b"tired"), ("1001", 1001, b"")],
)
def test_close_by_the_application(
    probe: ServerProcess, rest: str, code: int, reason: bytes
) -> None:
    with probe.connect() as wire:
        wire.upgraded(f"/close/{rest}")
        opcode, payload = wire.read_frame()
        assert opcode == CLOSE
        assert payload == code.to_bytes(2, "big") + reason
        wire.send_frame(CLOSE, payload)
        assert wire.is_closed()
    report = probe.report(f"close-{rest}")
    assert isinstance(report, dict)
    assert report["type"] == "websocket.disconnect"
    assert report["code"] == code


def test_long_reason_is_cut_between_characters(wire: Wire) -> None:
    """A close frame holds 123 bytes of reason (RFC 6455 5.5)."""
    wire.upgraded("/close/4001/" + "x" + "%C3%A9" * 70)
    opcode, payload = wire.read_frame()
    assert opcode == CLOSE
    assert payload == (4001).to_bytes(2, "big") + ("x" + "é" * 61).encode()


def test_closing_handshake_that_the_client_never_finishes(probe: ServerProcess) -> None:
    with probe.connect() as wire:
        wire.upgraded("/close/4002")
        assert wire.read_close() == 4002
        begun = time.monotonic()
        assert wire.is_closed(12)
        assert time.monotonic() - begun < 11


def test_application_that_returns_closes_with_1000(wire: Wire) -> None:
    wire.upgraded("/return-after-accept")
    assert wire.read_frame() == (TEXT, b"last words")
    assert wire.read_close() == 1000


def test_application_that_raises_closes_with_1011(probe: ServerProcess) -> None:
    log = len(probe.log())
    with probe.connect() as wire:
        wire.upgraded("/raise-after-accept")
        assert wire.read_frame() == (TEXT, b"last words")
        assert wire.read_close() == 1011
    wait_until(lambda: "LookupError: broken on purpose, after accept" in probe.log()[log:])


def test_send_after_the_disconnect_raises_an_os_error(probe: ServerProcess, key: str) -> None:
    with probe.connect() as wire:
        wire.upgraded(f"/send-to-gone/{key}")
        wire.send_frame(CLOSE, close_payload(1000))
        wire.read_close()
    results = probe.report(key)
    assert isinstance(results, list)
    assert results[0]["raised"] == "ClientDisconnected"
    assert "OSError" in results[0]["bases"]
    assert results[1]["raised"] in (None, "ClientDisconnected")  # Closing again does no harm.


def test_send_to_a_lost_client_raises_and_is_no_failure(server: StartServer, key: str) -> None:
    process = server()
    wire = process.connect()
    wire.upgraded(f"/endless/{key}")
    wire.read_frame()
    wire.reset()
    report = process.report(key, timeout=3)
    assert isinstance(report, dict)
    assert "OSError" in report["bases"]
    time.sleep(0.1)
    assert "Traceback" not in process.log()


def test_receive_after_the_disconnect_is_never_a_message(probe: ServerProcess, key: str) -> None:
    with probe.connect() as wire:
        wire.upgraded(f"/receive-again/{key}")
        wire.send_frame(CLOSE, close_payload(1000))
        wire.read_close()
    report = probe.report(key)
    assert isinstance(report, list)
    assert report[0] == "websocket.disconnect"


# --- frames that break the rules ---


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, "x", mask=False), 1002),
        (frame(TEXT, "x", rsv=4), 1002),
        (frame(3, "x"), 1002),
        (frame(11, "x"), 1002),
        (frame(0, "x"), 1002),
        (frame(TEXT, "x", fin=False) + frame(TEXT, "y"), 1002),
        (frame(PING, "x", fin=False), 1002),
        (frame(PING, "x" * 126), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, close_payload(1005)), 1002),
        (frame(CLOSE, close_payload(1006)), 1002),
        (frame(CLOSE, close_payload(999)), 1002),
        (frame(CLOSE, close_payload(5000)), 1002),
        (frame(CLOSE, close_payload(1000) + b"\xff"), 1007),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"\xc3"), 1007),
        (frame(TEXT, b"\xed\xa0\x80"), 1007),
        (frame(TEXT, b"\xc3", fin=False) + frame(0, b"x"), 1007),
        (frame(BINARY, bytes(MIB + 1)), 1009),
        (frame(BINARY, bytes(MIB), fin=False) + frame(0, b"x"), 1009),
        (b"\x82\xff" + struct.pack("!Q", 1 << 40) + b"mask", 1009),
        (b"\x82\xff" + struct.pack("!Q", 1 << 63) + b"mask", 1002),
    ],
    ids=[
        "unmasked",
        "reserved bit",
        "reserved opcode",
        "reserved control opcode",
        "continuation of nothing",
        "new message within a message",
        "fragmented ping",
        "long ping",
        "close with half a code",
        "close 1005",
        "close 1006",
        "close 999",
        "close 5000",
        "close reason is no UTF-8",
        "no UTF-8",
        "incomplete UTF-8",
        "surrogate",
        "UTF-8 broken in a fragment",
        "frame too large",
        "message too large",
        "length of a terabyte",
        "length with its highest bit",
    ],
)
def test_wrong_frame_closes_with_its_code(
    probe: ServerProcess, key: str, data: bytes, code: int
) -> None:
    with probe.connect() as wire:
        wire.upgraded(f"/echo/{key}")
        with suppress(ConnectionError):  # Closed before it was all sent.
            wire.send(data)
        assert wire.read_close() in ({code, 1002} if code == 1002 else {code})
        wire.send_frame(CLOSE, close_payload(code))
        assert wire.is_closed(8)
    report = probe.report(key)
    assert isinstance(report, dict)
    assert report["type"] == "websocket.disconnect"
    assert probe.get("/").text == "hello"


def test_message_of_exactly_the_limit_is_taken(wire: Wire) -> None:
    wire.upgraded("/echo/any")
    wire.send(frame(BINARY, bytes(MIB // 2), fin=False) + frame(0, bytes(MIB // 2)))
    assert wire.read_frame() == (BINARY, bytes(MIB))
