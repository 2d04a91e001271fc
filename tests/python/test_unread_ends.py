"""Clients that leave while the server doesn't read from them, as the application takes nothing.

The kernel keeps such a socket as CLOSE-WAIT: its peer is gone, the process still has it.
"""

from __future__ import annotations

import random
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import StartServer
from ports import free_port
from server_process import ServerProcess
from waiting import wait_until
from wire import Wire, frame, handshake

APP = "apps.half_closed:app"
GRACE = 2.0
"""Seconds after which a client that has ended, and that nothing is sent, is gone."""
LATEST = 2 * GRACE + 3
"""The server looks every 2 s, and a busy machine takes its time."""
SIZE = 120_000
TAKEN = 100_000
"""The server takes no more before the application does, so that the rest stays in the kernel."""
CLOSE_WAIT = "08"
HOSTILE_SECONDS = 4
NO_LIMITS = ("--websocket_connect_timeout", "60", "--graceful-timeout", "0")
"""None that could end such a connection."""


def sockets_left(*ports: int) -> list[str]:
    """The lines of the kernel's table for connections to these ports that wait for our close."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [
        line
        for line in lines
        if line.split()[3] == CLOSE_WAIT and int(line.split()[1].split(":")[1], 16) in ports
    ]


def open_sockets(process: ServerProcess) -> int:
    """How many the server has."""
    count = 0
    for link in Path(f"/proc/{process.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            count += str(link.readlink()).startswith("socket:")
    return count


def unread(port: int) -> int:
    """Bytes that the kernel holds for the server's one connection from a client that has ended."""
    (line,) = sockets_left(port)
    return int(line.split()[4].split(":")[1], 16)


def post(target: str, length: int = SIZE) -> bytes:
    """A request with SIZE bytes of content, whatever its Content-Length says."""
    head = f"POST {target} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n"
    return head.encode() + bytes(SIZE)


def send_beyond(wire: Wire, data: bytes) -> None:
    """Sends more than the server takes.

    The server has stopped to read when the rest comes. Sent at once, they would leave it to
    chance how much the server reads, and whether the kernel has room for the rest and the end.
    """
    wire.send(data[:TAKEN])
    time.sleep(0.5)
    wire.send(data[TAKEN:])


CLIENTS = {
    "request_with_content": post("/sleep/60/name"),
    "request_that_breaks_off": post("/sleep/60/name", SIZE + 1),
    "pipelined_requests": b"GET /sleep/60/name HTTP/1.1\r\nHost: test\r\n\r\n" * (SIZE // 40),
    "frames_before_the_answer": handshake("/sleep/60/name").encode() + frame(2, bytes(SIZE)),
}


@pytest.mark.parametrize(
    ("client", "reset"),
    [*((client, False) for client in CLIENTS), ("request_with_content", True)],
)
def test_client_that_left_unread_is_gone(server: StartServer, client: str, reset: bool) -> None:
    process = server(APP, *NO_LIMITS)
    before = open_sockets(process)
    with process.connect() as wire:
        send_beyond(wire, CLIENTS[client])
        wait_until(lambda: open_sockets(process) == before + 1)
        if reset:
            wire.reset()
    if not reset:
        wait_until(lambda: sockets_left(process.port), 1)
        assert unread(process.port) > 0
    wait_until(lambda: open_sockets(process) == before, LATEST)
    assert not sockets_left(process.port)


@pytest.mark.parametrize("target", ["/answer-late/1/name", "/stream-late/1/name"])
def test_who_ended_unread_is_answered_in_time(server: StartServer, target: str) -> None:
    """Within the grace, or as long as something is sent."""
    process = server(APP)
    with process.connect() as wire:
        send_beyond(wire, post(target))
        wire.sock.shutdown(socket.SHUT_WR)
        response = wire.response()
        assert response.status == 200
        assert response.body.endswith(str(SIZE).encode())


def test_who_has_not_ended_may_wait(server: StartServer) -> None:
    process = server(APP)
    with process.connect() as wire:
        send_beyond(wire, post(f"/answer-late/{3 * GRACE}/name"))
        assert wire.response().body == str(SIZE).encode()


# --- a hostile crowd ---

HTTP = ["/sleep/60/x", "/wait/0/x", "/answer-much/0/x", "/events/0/x", "/metrics", "/healthz", "/?"]


def misbehave(address: tuple[str, int], source: random.Random) -> None:
    """Sends something random, wholly or in part, and leaves in some way."""
    target = source.choice(HTTP)
    size = source.choice([0, 10, 500_000])
    data = source.choice(
        [
            source.randbytes(source.choice([1, 100, 100_000])),
            f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * source.choice([1, 3, 5000]),
            f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
            + bytes(size),
            handshake("/sleep/60/x").encode()
            + b"".join(
                frame(source.randrange(16), source.randbytes(source.choice([0, 100, 70_000])))
                for _ in range(source.randrange(6))
            ),
        ]
    )
    if source.random() < 0.5:
        data = data[: source.randrange(len(data) + 1)]
    with Wire.open(address, receive_buffer=4096) as wire, suppress(OSError):
        wire.sock.settimeout(0.3)
        with suppress(TimeoutError):
            wire.send(data)
        if source.random() < 0.5:
            wire.sock.recv(source.choice([1, 10_000]))
        how = source.choice(["close", "reset", "half-close", "half-close and reset"])
        if how.startswith("half-close"):
            wire.sock.shutdown(socket.SHUT_WR)
            time.sleep(source.random())
        if how.endswith("reset"):
            wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_no_socket_of_a_hostile_crowd_stays(server: StartServer) -> None:
    metrics = free_port()
    process = server(APP, "--metrics", f"127.0.0.1:{metrics}", *NO_LIMITS)
    addresses = [(process.host, process.port)] * 3 + [("127.0.0.1", metrics)]
    end = time.monotonic() + HOSTILE_SECONDS
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")

    def client(number: int) -> int:
        source = random.Random(seed + number)
        count = 0
        while time.monotonic() < end:
            misbehave(source.choice(addresses), source)
            count += 1
        return count

    with ThreadPoolExecutor(32) as pool:
        print(sum(pool.map(client, range(32))), "clients")
    with suppress(AssertionError):
        wait_until(lambda: not sockets_left(process.port, metrics), LATEST)
    assert sockets_left(process.port, metrics) == []
    assert process.get("/answer/0/last").status_code == 200
