"""Time limits of a process in which nothing else happens: each counts from its true beginning.

The application is quiet for longer than the limit before that begins, and the client then takes a
part of the limit. A server that counts from the last time its sockets had work ends the connection.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest
from conftest import StartServer
from server_process import ServerProcess
from wire import CLOSE, PING, PONG, TEXT, Wire, close_payload, handshake

APP = "apps.quiet:app"

LIMIT = 1.5
QUIET = 3.5
"""What the application is quiet for: more than twice the limit, at whose end the server looks."""
PAUSE = 0.6
"""What the client takes: less than the limit, and more than the server's timer is late by."""
LEAST = LIMIT - 0.2
"""What must have passed when something happens at the limit."""

Client = Callable[[ServerProcess, Wire], None]


def request(target: str, *headers: str) -> str:
    """The head of a POST, so that content may follow it."""
    return "\r\n".join([f"POST {target} HTTP/1.1", "Host: test", *headers, "", ""])


def next_request_comes_late(process: ServerProcess, wire: Wire) -> None:
    ask_twice(wire, f"/answer/{QUIET}")


def next_request_comes_late_after_a_block(process: ServerProcess, wire: Wire) -> None:
    ask_twice(wire, f"/block/{QUIET}")


def ask_twice(wire: Wire, target: str) -> None:
    assert wire.get(target).status == 200
    time.sleep(PAUSE)
    assert wire.get("/answer/0").status == 200
    begun = time.monotonic()
    assert wire.is_closed()
    assert time.monotonic() - begun > LEAST


def head_comes_late(process: ServerProcess, wire: Wire) -> None:
    """Its first bytes have waited behind a request that was being answered."""
    head = request("/answer/0")
    wire.send(request(f"/answer/{QUIET}") + head[:20])
    assert wire.response().status == 200
    time.sleep(PAUSE)
    wire.send(head[20:])
    assert wire.response().status == 200


def content_comes_late(process: ServerProcess, wire: Wire) -> None:
    """The server has stopped reading, as the application takes nothing."""
    wire.send(request(f"/read/{QUIET}", "Content-Length: 33100") + "x" * 33_000)
    time.sleep(QUIET + PAUSE)
    wire.send("x" * 100)
    assert wire.response().body == b"33100"


def expected_content_comes_late(process: ServerProcess, wire: Wire) -> None:
    wire.send(request(f"/read/{QUIET}", "Content-Length: 5", "Expect: 100-continue"))
    assert wire.head().status == 100
    time.sleep(PAUSE)
    wire.send("x" * 5)
    assert wire.response().body == b"5"


def response_is_read_late(process: ServerProcess, wire: Wire) -> None:
    wire.request(f"/answer-much/{QUIET}")
    assert wire.head().status == 200
    time.sleep(PAUSE)
    assert len(wire.read(30_000_000)) == 30_000_000


def response_starts_late(process: ServerProcess, wire: Wire) -> None:
    """The request has waited for the end of another's response."""
    wire.send(request(f"/begin/{QUIET}") + request(f"/answer/{PAUSE}"))
    assert wire.response().body == b"earlylate"
    assert wire.response().status == 200


def rest_is_sent_late(process: ServerProcess, wire: Wire) -> None:
    """After the response the server goes on reading for 2 s what the client still sends."""
    wire.send(request("/answer/2.5", "Content-Length: 30"))
    assert wire.response().header("connection") == "close"
    for _ in range(3):
        time.sleep(0.5)
        wire.send("x")
    assert wire.read_to_end() == b""


def handshake_is_answered_late(process: ServerProcess, wire: Wire) -> None:
    """It has waited for the end of a response."""
    wire.send(request(f"/begin/{QUIET}") + handshake(f"/accept/{PAUSE}"))
    assert wire.response().status == 200
    assert wire.response().status == 101


def age_counts_from_the_acceptance(process: ServerProcess, wire: Wire) -> None:
    wire.upgraded(f"/accept/{QUIET}")
    begun = time.monotonic()
    assert wire.read_close() == 1000
    assert time.monotonic() - begun > LEAST


def idle_time_counts_from_the_message(process: ServerProcess, wire: Wire) -> None:
    wire.upgraded(f"/speak/{PAUSE}")
    assert wire.read_frame() == (TEXT, b"late")
    begun = time.monotonic()
    assert wire.read_close() == 1000
    assert time.monotonic() - begun > LEAST


def first_ping_counts_from_the_acceptance(process: ServerProcess, wire: Wire) -> None:
    wire.upgraded(f"/accept/{QUIET}")
    begun = time.monotonic()
    assert wire.read_frame() == (PING, b"")
    assert time.monotonic() - begun > LEAST


def pong_comes_late(process: ServerProcess, wire: Wire) -> None:
    wire.upgraded(f"/accept/{QUIET}")
    for _ in range(2):
        assert wire.read_frame() == (PING, b"")
        time.sleep(PAUSE)
        wire.send_frame(PONG)
    wire.send_frame(TEXT, "alive")
    assert wire.read_frame() == (TEXT, b"alive")


def close_is_answered_late(process: ServerProcess, wire: Wire) -> None:
    wire.upgraded(f"/close/{QUIET}")
    assert wire.read_close() == 4000
    time.sleep(PAUSE)
    wire.send_frame(CLOSE, close_payload(4001))
    assert wire.is_closed()
    assert process.report(str(QUIET)) == 4001


def head_ends_during_the_drain(process: ServerProcess, wire: Wire) -> None:
    """There is a second for that."""
    head = request("/answer/0")
    wire.send(head[:20])
    time.sleep(QUIET)
    process.send_signal(signal.SIGTERM)
    time.sleep(PAUSE)
    wire.send(head[20:])
    assert wire.response().header("connection") == "close"


CASES: list[tuple[Client, dict[str, float]]] = [
    (next_request_comes_late, {"--timeout-keep-alive": LIMIT}),
    (next_request_comes_late_after_a_block, {"--timeout-keep-alive": LIMIT}),
    (head_comes_late, {"--timeout-request-header": LIMIT}),
    (content_comes_late, {"--timeout-request-body": LIMIT}),
    (expected_content_comes_late, {"--timeout-request-body": LIMIT}),
    (response_is_read_late, {"--timeout-send": LIMIT}),
    (response_starts_late, {"--http-timeout": LIMIT}),
    (rest_is_sent_late, {}),
    (handshake_is_answered_late, {"--websocket_connect_timeout": LIMIT}),
    (age_counts_from_the_acceptance, {"--websocket_timeout": LIMIT}),
    (idle_time_counts_from_the_message, {"--timeout-websocket-idle": LIMIT}),
    (first_ping_counts_from_the_acceptance, {"--ping-interval": LIMIT}),
    (pong_comes_late, {"--ping-interval": 0.5, "--ping-timeout": LIMIT}),
    (close_is_answered_late, {"--timeout-websocket-close": LIMIT}),
    (head_ends_during_the_drain, {}),
]


@pytest.mark.parametrize(("client", "flags"), CASES, ids=[case[0].__name__ for case in CASES])
def test_limit_counts_from_its_true_beginning(
    server: StartServer, client: Client, flags: dict[str, float]
) -> None:
    args = [text for flag, seconds in flags.items() for text in (flag, str(seconds))]
    process = server(APP, *args)
    with process.connect() as wire:
        client(process, wire)
