"""What an application is told about its WebSocket is true, in order, and never a cancellation."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import StartServer
from server_process import ServerProcess
from wire import CLOSE, TEXT, close_payload, frame

HERE = Path(__file__).resolve().parent
INTERVAL, TIMEOUT = 0.5, 1.0
LATENESS = 3.0
"""Seconds that a loaded machine may add."""

# A client in a process of its own: it says when it is connected, and then reads on.
CLIENT = """
import sys
from wire import Wire
wire = Wire.open((sys.argv[1], int(sys.argv[2])))
assert wire.upgrade(sys.argv[3]).status == 101
print("connected", flush=True)
wire.read_to_end()
"""


@contextmanager
def client_process(process: ServerProcess, target: str) -> Iterator[subprocess.Popen[str]]:
    arguments = [sys.executable, "-c", CLIENT, process.host, str(process.port), target]
    client = subprocess.Popen(arguments, cwd=HERE, stdout=subprocess.PIPE, text=True)
    try:
        assert client.stdout is not None
        assert client.stdout.readline() == "connected\n"
        yield client
    finally:
        client.kill()
        client.communicate()


# --- the end is told, not thrown ---


@pytest.mark.parametrize("how", ["close frame", "close", "reset", "kill", "stop"])
def test_application_cleans_up_however_its_client_went(
    server: StartServer, key: str, how: str
) -> None:
    flags = ["--ping-interval", str(INTERVAL), "--ping-timeout", str(TIMEOUT)]
    process = server("apps.probe:app", *flags)
    target = f"/collect/{key}"
    if how in ("kill", "stop"):
        with client_process(process, target) as client:
            client.send_signal(signal.SIGKILL if how == "kill" else signal.SIGSTOP)
            report = process.report(key, INTERVAL + TIMEOUT + LATENESS)
    else:
        wire = process.connect().upgraded(target)
        if how == "close frame":
            wire.send_frame(CLOSE, close_payload(1001))
            wire.close()
        else:
            getattr(wire, how)()
        report = process.report(key)
    code = 1001 if how == "close frame" else 1006
    assert report == {"texts": [], "code": code, "reason": ""}


def test_silently_dead_client_is_noticed_while_much_is_sent_to_it(
    server: StartServer, key: str
) -> None:
    """Its kernel takes what is sent for a while: only the missing pongs tell."""
    flags = ["--ping-interval", str(INTERVAL), "--ping-timeout", str(TIMEOUT)]
    process = server("apps.probe:app", *flags)
    with client_process(process, f"/chatter/{key}") as client:
        client.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        report = process.report(key, INTERVAL + TIMEOUT + LATENESS)
        assert time.monotonic() - begun > TIMEOUT
    assert report == {"type": "websocket.disconnect", "code": 1006, "reason": ""}


def test_messages_before_a_close_arrive_before_it(probe: ServerProcess, key: str) -> None:
    with probe.connect().upgraded(f"/collect/{key}") as wire:
        texts = [str(number) for number in range(500)]
        frames = b"".join(frame(TEXT, text) for text in texts)
        wire.send(frames + frame(CLOSE, close_payload(4003, "done")))
        assert wire.read_close() == 4003
    assert probe.report(key) == {"texts": texts, "code": 4003, "reason": "done"}


def test_messages_before_a_reset_that_were_read_arrive_before_it(
    probe: ServerProcess, key: str
) -> None:
    wire = probe.connect().upgraded(f"/collect/{key}")
    wire.send_frame(TEXT, "last words")
    time.sleep(0.3)
    wire.reset()
    assert probe.report(key) == {"texts": ["last words"], "code": 1006, "reason": ""}


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 3000, 4003, 4999])
def test_codes_reach_the_other_side(probe: ServerProcess, key: str, code: int) -> None:
    with probe.connect().upgraded(f"/collect/{key}") as wire:
        wire.send_frame(CLOSE, close_payload(code, "why"))
        assert wire.read_frame() == (CLOSE, close_payload(code))
    assert probe.report(key) == {"texts": [], "code": code, "reason": "why"}
    with probe.connect().upgraded(f"/close/{code}/{key}") as wire:
        assert wire.read_frame() == (CLOSE, close_payload(code, key))
        wire.send_frame(CLOSE, close_payload(code))
    report = probe.report(f"close-{code}/{key}")
    assert isinstance(report, dict)
    assert report["code"] == code


def test_send_after_its_own_close_raises_an_os_error(probe: ServerProcess, key: str) -> None:
    with probe.connect().upgraded(f"/send-after-close/{key}") as wire:
        assert wire.read_close() == 1001
    report = probe.report(key)
    assert isinstance(report, dict)
    assert "OSError" in report["bases"]


# --- text ---

WIDTHS = {
    "ASCII": "plain text",
    "ASCII with NUL": "a\0b",
    "Latin-1": "grüße",
    "UCS-2": "€ and ü and plain",
    "UCS-4": "\U0001f600 and € and ü and plain",
    "the last of each width": "\x7f\xff\uffff\U0010ffff",
    "around the surrogates": "\ud7ff\ue000",
}


@pytest.mark.parametrize("text", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("times", [1, 10_000], ids=["once", "often"])
def test_text_of_every_width(probe: ServerProcess, text: str, times: int) -> None:
    text = text * times
    with (
        probe.connect().upgraded("/echo/any") as wire,
        probe.connect().upgraded("/raw-messages") as raw,
    ):
        wire.send_frame(TEXT, text)
        assert wire.read_frame() == (TEXT, text.encode())
        raw.send_frame(TEXT, text)
        message = ast.literal_eval(raw.read_frame()[1].decode())
        assert message["text"] == text
