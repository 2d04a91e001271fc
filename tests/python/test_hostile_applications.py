"""Random applications that misuse what the server gave them, and clients that cut anywhere.

Whatever they do (apps/hostile.py), applications beside them work, the server lives and ends in
order, and nothing of their calls is left. TEST_HOSTILE_SECONDS is how long that goes on with each
loop (3), and TEST_HOSTILE_SEED what it begins from (a random number, which is printed).
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from conftest import StartServer
from server_process import ServerProcess
from wire import BINARY, CLOSE, PING, TEXT, close_payload, frame, handshake

SECONDS = float(os.environ.get("TEST_HOSTILE_SECONDS", "3"))
SEED = os.environ.get("TEST_HOSTILE_SEED") or str(random.randrange(10**9))
CLIENTS = 12
"""Threads with hostile clients."""
MOST_MEMORY = 64 * 1024 * 1024
"""How much the server may grow, whatever it has been through; not with a sanitizer's heap."""

NOTHING = "ApplicationCall=1 Receive=1 Send=1 Waiter=0 Completed=0 Notice=0"
"""What is there of calls while one asks, which is that one."""


# --- hostile clients ---


def http_bytes(dice: random.Random) -> bytes:
    """Some requests, each for an application that is as random."""
    data = b""
    for _ in range(dice.choice([1, 1, 2, 3])):
        target = f"/hostile/{dice.randrange(10**9)}"
        method = dice.choice(["GET", "GET", "POST", "HEAD"])
        version = dice.choice(["1.1", "1.1", "1.1", "1.0"])
        lines = [f"{method} {target} HTTP/{version}", "Host: test"]
        body = b"y" * dice.choice([0, 1, 100, 100_000]) if method == "POST" else b""
        if body and dice.random() < 0.5:
            lines.append("Transfer-Encoding: chunked")
            half = len(body) // 2 + 1
            pieces = [piece for piece in (body[:half], body[half:]) if piece]
            body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
            body += b"0\r\n\r\n"
        elif body:
            lines.append(f"Content-Length: {len(body)}")
        if dice.random() < 0.2:
            lines.append(dice.choice(["Connection: close", "TE: trailers", "Expect: 100-continue"]))
        data += "\r\n".join([*lines, "", ""]).encode() + body
    return data


def websocket_bytes(dice: random.Random) -> bytes:
    """An opening handshake and some frames, right and wrong."""
    data = handshake(f"/hostile/{dice.randrange(10**9)}").encode()
    for _ in range(dice.randrange(6)):
        payload = b"p" * dice.choice([0, 1, 125, 1000, 70_000])
        data += dice.choice(
            [
                frame(TEXT, payload),
                frame(BINARY, payload),
                frame(PING, payload[:125]),
                frame(CLOSE, close_payload(1000)),
                dice.randbytes(20),
            ]
        )
    return data


def talk(process: ServerProcess, dice: random.Random) -> None:
    """One connection, which is cut at any byte."""
    data = websocket_bytes(dice) if dice.random() < 0.5 else http_bytes(dice)
    if dice.random() < 0.5:
        data = data[: dice.randrange(len(data))]
    with process.connect() as wire, suppress(OSError):
        wire.sock.settimeout(0.3)
        while data:
            size = dice.choice([len(data), len(data), dice.randrange(1, len(data) + 1)])
            wire.send(data[:size])
            data = data[size:]
            if data:
                time.sleep(dice.choice([0, 0.001]))
        time.sleep(dice.choice([0, 0, 0.001, 0.01]))
        for _ in range(dice.randrange(3)):
            if not wire.fill():
                break
        if dice.random() < 0.5:
            wire.reset()


@contextmanager
def hostile_clients(process: ServerProcess, seed: str) -> Iterator[list[int]]:
    """They come and go until the end of the block; how many there were is added up in the list."""
    over = threading.Event()
    counts = [0] * CLIENTS

    def run(number: int) -> None:
        dice = random.Random(f"{seed} {number}")
        while not over.is_set() and process.is_running():
            with suppress(ConnectionRefusedError):
                talk(process, dice)
            counts[number] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        over.set()
        for thread in threads:
            thread.join()


# --- what is as ever ---


def check_http(process: ServerProcess, number: int) -> None:
    with process.connect() as wire:
        for turn in range(2):
            response = wire.get(f"/well/{number}.{turn}")
            assert (response.status, response.body) == (200, f"{number}.{turn}".encode())


def check_websocket(process: ServerProcess, number: int) -> None:
    with process.connect() as wire:
        assert wire.upgrade(f"/well/{number}").status == 101
        assert wire.read_frame() == (TEXT, str(number).encode())


def is_empty_in_the_end(process: ServerProcess) -> bool:
    end = time.monotonic() + 20
    while (left := process.get("/left").text) != NOTHING and time.monotonic() < end:
        time.sleep(0.1)
    print(left)
    return left == NOTHING


@pytest.mark.timeout(120 + 3 * SECONDS)
@pytest.mark.parametrize("loop", ["native", "asyncio", "uvloop"])
def test_hostile_applications(server: StartServer, loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    seed = f"{SEED} {loop}"
    print(f"TEST_HOSTILE_SEED={SEED}")
    # A machine that has other things to do is no fault: what was lost waits longer than that.
    flags = ("--loop", loop, "--lifespan", "off", "--sendfile", "--websocket_connect_timeout", "30")
    process = server("apps.hostile:app", *flags, env={"PYTHONFAULTHANDLER": "1"})
    sanitized = process.is_sanitized()
    process.get("/well/0")  # so that the application knows the server's own tasks
    memory = 0
    end = time.monotonic() + SECONDS
    checks = 0
    with hostile_clients(process, seed) as counts:
        while time.monotonic() < end:
            assert process.is_running(), process.log()[-5000:]
            (check_websocket if checks % 2 else check_http)(process, checks)
            checks += 1
            if checks == 50:
                memory = process.memory()
            time.sleep(0.01)
    print(f"{sum(counts)} hostile clients, {checks} good ones")
    assert checks > 10
    assert is_empty_in_the_end(process)
    if memory and not sanitized:
        assert process.memory() - memory < MOST_MEMORY
    assert process.stop() == 0, process.log()[-5000:]
