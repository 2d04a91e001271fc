"""Many WebSockets at once: what they cost, a group of all of them, one that doesn't read.

How many there are is set by the environment; CONTRIBUTING.md has the full sizes.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import StartServer
from server_process import ServerProcess
from wire import PONG, Wire, frame, handshake

APP = "apps.crowds:app"
MEMBERS = int(os.environ.get("TEST_MEMBERS", "100"))
READERS = int(os.environ.get("TEST_READERS", "20"))
IDLE = int(os.environ.get("TEST_IDLE_WEBSOCKETS", "1000"))
IDLE_SECONDS = float(os.environ.get("TEST_IDLE_SECONDS", "1"))
RESETS = int(os.environ.get("TEST_WEBSOCKET_RESETS", "500"))
ROUNDS = int(os.environ.get("TEST_WEBSOCKET_ROUNDS", "3"))
MOST_BYTES_PER_SOCKET = 6 * 1024
MIB = 1 << 20
PING_FRAME = b"\x89\x00"

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("enough_descriptors")]


class Crowd:
    """Open WebSockets of one client process, and what they have received."""

    def __init__(self, process: ServerProcess, target: str, size: int) -> None:
        self.sockets: dict[int, socket.socket] = {}
        self.received: dict[int, bytearray] = {}
        self._poll = select.epoll()
        request = handshake(target).encode()
        for begin in range(0, size, 100):
            wires = []
            for _ in range(min(100, size - begin)):
                wire = Wire.open((process.host, process.port))
                wire.send(request)
                wires.append(wire)
            for wire in wires:
                assert wire.head().status == 101
                number = wire.sock.fileno()
                self.sockets[number] = wire.sock
                self.received[number] = bytearray(wire.buffer)
                self._poll.register(number, select.EPOLLIN)

    def read(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Reads on all for so long, answering pings that come alone."""
        end = time.monotonic() + seconds
        while not until() and (left := end - time.monotonic()) > 0:
            for number, _ in self._poll.poll(left):
                data = self.sockets[number].recv(1 << 18)
                assert data, "closed by the server"
                if data == PING_FRAME:
                    self.sockets[number].sendall(frame(PONG))
                else:
                    self.received[number] += data

    def reset(self) -> None:
        """Closes all with RST."""
        for sock in self.sockets.values():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        self._poll.close()

    def close(self) -> None:
        for sock in self.sockets.values():
            sock.close()
        self._poll.close()


def frame_of(number: int, size: int) -> bytes:
    """How the server sends message `number`, from 126 bytes on."""
    payload = str(number).ljust(size).encode()
    return b"\x81\x7e" + struct.pack("!H", size) + payload


def read_messages(crowd: Crowd, start: int, count: int, size: int, within: float) -> float:
    """Reads until all have those messages, in order; returns the seconds that took."""
    expected = b"".join(frame_of(number, size) for number in range(start, start + count))
    missing = set(crowd.sockets)

    def complete() -> bool:
        missing.difference_update([n for n in missing if len(crowd.received[n]) >= len(expected)])
        return not missing

    begun = time.monotonic()
    crowd.read(within, complete)
    seconds = time.monotonic() - begun
    assert not missing, f"{len(missing)} of {len(crowd.sockets)} lack messages"
    for data in crowd.received.values():
        assert data == expected
        data.clear()
    return seconds


def until_equal(get: Callable[[], object], goal: object, within: float = 5) -> object:
    end = time.monotonic() + within
    while (now := get()) != goal and time.monotonic() < end:
        time.sleep(0.02)
    return now


def test_every_member_of_a_group_gets_every_message_in_order(server: StartServer) -> None:
    process = server(APP, "--ping-interval", "0")
    latencies: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            begun = time.perf_counter()
            assert process.get("/").text == "hello"
            latencies.append(time.perf_counter() - begun)

    crowd = Crowd(process, "/member", MEMBERS)
    asking = threading.Thread(target=ask)
    asking.start()
    seconds = 0.0
    try:
        for start in range(0, 20, 4):
            assert process.get(f"/say/{start}/4/200").text == "coming"
            seconds += read_messages(crowd, start, 4, 200, 60)
    finally:
        over.set()
        asking.join()
        crowd.close()
    latencies.sort()
    print(
        f"{MEMBERS} members, 20 messages: {seconds:.1f} s; meanwhile HTTP took "
        f"{latencies[len(latencies) // 2] * 1e3:.0f} ms, at most {latencies[-1] * 1e3:.0f} ms"
    )
    assert latencies[-1] < 5
    members = {f"member {1006}": MEMBERS}
    assert until_equal(lambda: process.report("codes"), members) == members
    assert process.report("members") == 0  # each left the group when its client had gone


@pytest.mark.parametrize("policy", ["wait", "drop"])
def test_slow_reader_delays_nobody_and_costs_what_it_may(server: StartServer, policy: str) -> None:
    process = server(APP, "--ping-interval", "0", "--websocket-slow-reader", policy)
    size, count, windows = 60_000, 5, 40  # 12 MB for each; the kernel takes some 4 MB of them
    with Wire.open((process.host, process.port), receive_buffer=4096) as slow:
        assert slow.upgrade("/member").status == 101
        crowd = Crowd(process, "/member", READERS)
        memory = worst = 0.0
        for start in range(0, count * windows, count):
            assert process.get(f"/say/{start}/{count}/{size}").text == "coming"
            worst = max(worst, read_messages(crowd, start, count, size, 30))
            if start == count:
                memory = process.memory()
        growth = process.memory() - memory
        print(f"{READERS} readers: at most {worst:.2f} s, {growth / 1024:.0f} KiB more")
        assert worst < 10
        if not process.is_sanitized():
            # A message beside the limit, and with "wait" the 40 that the channel layer keeps.
            assert growth < (6 * MIB if policy == "wait" else MIB)
        if policy == "drop":
            process.wait_for_log("the client reads too slowly")
            assert slow.read_close() == 1013
        crowd.close()


def test_idle_websockets(server: StartServer) -> None:
    process = server(APP)
    Crowd(process, "/idle", 50).close()  # what is needed once is there
    memory = process.memory()
    crowd = Crowd(process, "/idle", IDLE)
    crowd.read(0.3)
    each = (process.memory() - memory) / IDLE
    begun, cpu = time.monotonic(), process.cpu_seconds()
    crowd.read(IDLE_SECONDS)
    seconds, cpu = time.monotonic() - begun, process.cpu_seconds() - cpu
    crowd.close()
    print(f"{IDLE} idle: {each:.0f} bytes each, {cpu / seconds:.2%} of a core")
    if not process.is_sanitized():
        assert each <= MOST_BYTES_PER_SOCKET
        assert cpu <= 0.01 * seconds + 0.05  # clock ticks are coarse


def test_idle_worker_sleeps(server: StartServer) -> None:
    # Otherwise threads ask the loop for a sign of life each second, and clients are pinged.
    flags = ("--slow-callback", "0", "--worker-timeout", "0", "--ping-interval", "0")
    process = server(APP, *flags)
    crowd = Crowd(process, "/idle", IDLE)
    crowd.read(0.5)
    before = process.wake_ups()
    crowd.read(max(2, IDLE_SECONDS))
    assert process.wake_ups() <= before + 1  # a deadline that was over before it came
    crowd.close()


def test_reset_by_all_at_once_leaves_nothing_behind(server: StartServer) -> None:
    process = server(APP)
    process.get("/report/codes")
    tasks = process.report("tasks")
    folder = Path(f"/proc/{process.process.pid}/fd")
    descriptors = len(list(folder.iterdir()))
    memory = 0
    for number in range(1, ROUNDS + 1):
        Crowd(process, "/idle", RESETS).reset()
        cut = time.time()
        ended = {"idle 1006": number * RESETS}
        assert until_equal(lambda: process.report("codes"), ended) == ended
        last = process.report("last-disconnect")
        assert isinstance(last, float)
        assert last - cut < 2
        print(f"round {number}: all ended {last - cut:.2f} s after; {process.memory()} bytes")
        if number == 1:
            memory = process.memory()
    assert until_equal(lambda: len(list(folder.iterdir())) <= descriptors, True)
    assert process.report("tasks") == tasks
    if not process.is_sanitized():
        assert process.memory() - memory < 2 * MIB
