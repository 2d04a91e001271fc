"""WebSocket as a client sees it and as an application sees it (RFC 6455, ASGI WebSocket 2.5)."""

from __future__ import annotations

import ast
import os
import re
import time
from contextlib import suppress

import pytest
from conftest import StartServer
from server_process import ServerProcess
from waiting import bytes_sent_until_stalled, expect_failed_send, wait_until
from wire import BINARY, CLOSE, PING, PONG, TEXT, Wire, close_payload, frame, handshake

MIB = 1 << 20


# --- messages ---


@pytest.mark.parametrize("size", [0, 1, 2, 125, 126, 127, 1000, 65535, 65536, 100_000])
def test_sizes(wire: Wire, size: int) -> None:
    wire.upgraded("/echo/any")
    for opcode, payload in ((TEXT, b"a" * size), (BINARY, os.urandom(size))):
        wire.send_frame(opcode, payload)
        assert wire.read_frame() == (opcode, payload)


def test_one_mib_each_way(wire: Wire) -> None:
    wire.upgraded("/echo/any")
    payload = os.urandom(MIB)
    wire.send_frame(BINARY, payload)
    assert wire.read_frame() == (BINARY, payload)
    text = ("é" * (MIB // 2)).encode()
    wire.send_frame(TEXT, text)
    assert wire.read_frame() == (TEXT, text)


def test_large_message_out(wire: Wire) -> None:
    wire.upgraded(f"/large/{10 * MIB}")
    assert wire.read_frame() == (BINARY, b"\xa5" * (10 * MIB))


def test_message_dicts(wire: Wire) -> None:
    wire.upgraded("/raw-messages")
    wire.send_frame(TEXT, "grüße €😀")
    message = ast.literal_eval(wire.read_frame()[1].decode())
    assert message.pop("bytes", None) is None
    assert message == {"type": "websocket.receive", "text": "grüße €😀"}
    wire.send_frame(BINARY, b"\0\xff")
    message = ast.literal_eval(wire.read_frame()[1].decode())
    assert message.pop("text", None) is None
    assert message == {"type": "websocket.receive", "bytes": b"\0\xff"}
    wire.send_frame(TEXT, "")
    message = ast.literal_eval(wire.read_frame()[1].decode())
    assert message["text"] == ""


def test_empty_messages_out(wire: Wire) -> None:
    wire.upgraded("/empty-messages")
    assert wire.read_frame() == (TEXT, b"")
    assert wire.read_frame() == (BINARY, b"")
    assert wire.read_frame() == (TEXT, b"both keys")
    assert wire.read_frame() == (BINARY, b"array")


def test_fragments_are_joined(wire: Wire) -> None:
    wire.upgraded("/echo/any")
    word = "grüße".encode()
    for index in range(len(word)):
        wire.send_frame(TEXT if index == 0 else 0, word[index : index + 1], fin=False)
    wire.send_frame(PING, "between")  # Control frames may come between fragments.
    wire.send_frame(0, b"", fin=True)
    assert wire.read_frame() == (PONG, b"between")
    assert wire.read_frame() == (TEXT, word)


def test_frames_byte_by_byte(wire: Wire) -> None:
    wire.upgraded("/echo/any")
    for byte in frame(TEXT, "slow") + frame(BINARY, b"x" * 200):
        wire.send(bytes([byte]))
        time.sleep(0.0005)
    assert wire.read_frame() == (TEXT, b"slow")
    assert wire.read_frame() == (BINARY, b"x" * 200)


def test_many_messages_in_one_write_keep_their_order(wire: Wire) -> None:
    wire.upgraded("/echo/any")
    wire.send(b"".join(frame(TEXT, str(number)) for number in range(2000)))
    for number in range(2000):
        assert wire.read_frame() == (TEXT, str(number).encode())


def test_burst_out_keeps_its_order(wire: Wire) -> None:
    wire.upgraded("/burst/20000")
    for number in range(20000):
        assert wire.read_frame() == (TEXT, str(number).encode())
    assert wire.read_close() == 1000


# --- ping and pong ---


def test_ping_is_answered(wire: Wire) -> None:
    wire.upgraded("/echo/any")
    for payload in (b"", b"payload", b"x" * 125):
        wire.send_frame(PING, payload)
        assert wire.read_frame() == (PONG, payload)


def test_unsolicited_pong_is_ignored(wire: Wire) -> None:
    wire.upgraded("/echo/any")
    wire.send_frame(PONG, "nobody asked")
    wire.send_frame(TEXT, "still here")
    assert wire.read_frame() == (TEXT, b"still here")


def test_keep_alive_pings(server: StartServer, key: str) -> None:
    process = server("apps.probe:app", "--ping-interval", "0.5", "--ping-timeout", "1")
    with process.connect() as wire:
        wire.upgraded(f"/echo/{key}")
        for _ in range(2):  # Answered: the connection lives on.
            opcode, payload = wire.read_frame()
            assert opcode == PING
            wire.send_frame(PONG, payload)
        wire.send_frame(TEXT, "alive")
        while (message := wire.read_frame())[0] == PING:
            pass
        assert message == (TEXT, b"alive")
        begun = time.monotonic()
        wire.read_to_end()  # Unanswered: it doesn't.
        assert 0.5 < time.monotonic() - begun < 5
    report = process.report(key)
    assert isinstance(report, dict)
    assert report["code"] == 1006


def test_no_pings_when_switched_off(server: StartServer) -> None:
    with server("apps.probe:app", "--ping-interval", "0").connect() as wire:
        wire.upgraded("/echo/any")
        assert wire.is_quiet(1.2)


# --- wrong use by the application ---

WRONG_CASES = [
    "send-before-accept",
    "accept-twice",
    "unknown-type",
    "http-message",
    "no-type",
    "not-a-dict",
    "neither",
    "both-none",
    "both-given",
    "text-is-bytes",
    "bytes-is-str",
    "lone-surrogate",
    "code-is-str",
    "code-is-reserved",
    "code-out-of-range",
    "subprotocol-is-bytes",
    "subprotocol-not-offered",
    "header-is-str",
    "header-with-newline",
    "header-subprotocol",
    "deny-after-accept",
    "deny-body-first",
]


@pytest.mark.parametrize("case", WRONG_CASES)
def test_wrong_message_raises_in_send(probe: ServerProcess, key: str, case: str) -> None:
    with probe.connect() as wire:
        wire.send(handshake(f"/wrong/{case}/{key}"))
        result = probe.report(key)
        assert isinstance(result, dict)
        assert result["raised"] is not None, "send() took it"
        assert "OSError" not in result["bases"]
        assert result["text"], "the exception says nothing"
        assert b"c: d" not in wire.read_until(b"\r\n\r\n")


# --- back-pressure ---


def test_send_waits_for_a_client_that_does_not_read(probe: ServerProcess, key: str) -> None:
    with Wire.open((probe.host, probe.port), receive_buffer=8192) as wire:
        wire.upgraded(f"/flood/{key}")
        taken = bytes_sent_until_stalled(probe, key)
        for _ in range(200):
            assert wire.read_frame() == (BINARY, bytes(16384))
        wait_until(lambda: probe.report(key) != taken)
    expect_failed_send(probe, key)


def test_reading_waits_for_an_application_that_does_not_receive(
    server: StartServer, key: str
) -> None:
    process = server("apps.probe:app")
    process.get("/")
    before = process.memory()
    message = frame(BINARY, bytes(65536))
    with process.connect() as wire:
        wire.upgraded(f"/slow-reader/{key}")
        wire.sock.settimeout(0.5)
        sent = 0
        with suppress(TimeoutError):
            while sent < 500:
                wire.sock.sendall(message)
                sent += 1
        assert process.memory() - before < 12 * MIB
        assert sent < 500
    report = process.report(key)
    assert isinstance(report, dict)
    assert sent - 1 <= report["count"] <= sent


# --- log lines ---


def test_access_log_lines(probe: ServerProcess, key: str) -> None:
    with probe.connect() as wire:
        wire.upgraded(f"/echo/{key}?q")
        wire.send_frame(CLOSE, close_payload(1000))
        wire.read_close()
    with probe.connect() as wire:
        assert wire.upgrade(f"/reject/{key}").status == 403
    wait_until(lambda: "WSREJECT" in probe.access_log())

    def lines() -> list[str]:
        return re.findall(rf'"(\w+ /\w+/{key})" - -$', probe.access_log(), re.MULTILINE)

    wait_until(lambda: len(lines()) >= 5)
    assert lines()[:5] == [
        f"WSCONNECTING /echo/{key}",
        f"WSCONNECT /echo/{key}",
        f"WSDISCONNECT /echo/{key}",
        f"WSCONNECTING /reject/{key}",
        f"WSREJECT /reject/{key}",
    ]
