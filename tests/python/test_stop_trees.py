"""Stops of real process trees: all processes at once, twice, one by one; also as the first
process of a container. Whatever the order, no response that could finish is cut, and the end is in
order.

TEST_STOPS is how often each (1).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from processes import is_alive
from server_process import ServerProcess
from waiting import wait_until
from wire import CLOSE, Wire

STOPS = int(os.environ.get("TEST_STOPS", "1"))
MOST_SECONDS = 9
CONTAINERS = (
    ["unshare", "--pid", "--fork", "--mount-proc"],
    ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"],
)


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return [pid]
    return [pid, *(each for child in children for each in tree(int(child)))]


def has_no_orphans(process: ServerProcess) -> bool:
    """Whether below unshare there are only a supervisor and two workers."""
    return len(tree(process.process.pid)) == 1 + 1 + 2


def kill(pid: int) -> None:
    if is_alive(pid):
        os.kill(pid, signal.SIGTERM)


def at_once(pids: list[int]) -> None:
    for pid in pids:
        kill(pid)


def twice(pids: list[int]) -> None:
    at_once(pids)
    time.sleep(0.05)
    at_once(pids)


def one_by_one(pids: list[int]) -> None:
    for pid in pids:
        kill(pid)
        time.sleep(0.2)


def workers_first(pids: list[int]) -> None:
    one_by_one(pids[::-1])


WAYS: list[Callable[[list[int]], None]] = [at_once, twice, one_by_one, workers_first]


@pytest.fixture(scope="module")
def container() -> list[str]:
    """What makes a command the first process of a PID namespace."""
    for prefix in CONTAINERS:
        tried = subprocess.run([*prefix, "true"], capture_output=True, check=False)
        if tried.returncode == 0:
            return prefix
    pytest.skip(f"no PID namespace may be made here: {tried.stderr.decode()}")


@pytest.fixture
def start(server_command: list[str], tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    started: list[ServerProcess] = []

    def begin(*flags: str, prefix: list[str]) -> ServerProcess:
        folder = tmp_path / f"server{len(started)}"
        folder.mkdir()
        command = [*prefix, *server_command]
        process = ServerProcess(command, "apps.streams:app", ["-p", "0", *flags], folder)
        started.append(process)
        return process.wait_until_listening()

    yield begin
    for process in started:
        if process.is_running():
            at_once(tree(process.process.pid))
        process.kill()


class Clients:
    """Requests, streams and sockets that are under way."""

    def __init__(self, process: ServerProcess, stack: ExitStack) -> None:
        def connect() -> Wire:
            return stack.enter_context(process.connect())

        self.slow = [connect() for _ in range(4)]
        self.downloads = [connect() for _ in range(4)]
        self.answers = [connect() for _ in range(2)]
        self.events = [connect() for _ in range(2)]
        self.sockets = [connect().upgraded("/") for _ in range(4)]
        for wire in self.slow:
            wire.request("/slow/1.5")
        for wire in self.downloads:
            wire.request("/download/1.5")
        for wire in self.answers:
            wire.request("/events/1.5", "POST", "Content-Length: 0")
        for wire in self.events:
            wire.request("/events")
            assert wire.head().status == 200
        time.sleep(0.3)

    def check(self) -> None:
        """Each gets what the server owes it."""
        for wire in self.slow:
            assert wire.response().body == b"slow, but here"
        for wire in self.downloads + self.answers:
            assert wire.response().body.endswith(b"end")
        for wire in self.events:
            while wire.chunk():
                pass
        for wire in self.sockets:
            opcode, payload = wire.read_frame()
            assert (opcode, payload[:2]) == (CLOSE, (1001).to_bytes(2, "big"))
            wire.send_frame(CLOSE, payload)


def stop(process: ServerProcess, pids: list[int], way: Callable[[list[int]], None]) -> None:
    with ExitStack() as stack:
        clients = Clients(process, stack)
        begun = time.monotonic()
        way(pids)
        clients.check()
        assert process.wait() == 0, process.log()[-3000:]
        took = time.monotonic() - begun
        print(f"{way.__name__}: {took:.1f} s")
        assert took < MOST_SECONDS
    assert "ERROR" not in process.log()
    assert not any(map(is_alive, pids))


@pytest.mark.timeout(60 + 15 * STOPS)
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("way", WAYS)
def test_stop(
    start: Callable[..., ServerProcess], way: Callable[[list[int]], None], workers: str
) -> None:
    for _ in range(STOPS):
        process = start("--workers", workers, prefix=[])
        stop(process, tree(process.process.pid), way)


@pytest.mark.timeout(60 + 15 * STOPS)
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("way", WAYS)
def test_stop_as_the_first_process(
    start: Callable[..., ServerProcess],
    container: list[str],
    way: Callable[[list[int]], None],
    workers: str,
) -> None:
    for _ in range(STOPS):
        process = start("--workers", workers, prefix=container)
        if workers != "1":  # else Python's own children and those of others can't be told apart
            for _ in range(3):
                assert process.get("/orphan").text == "left alone"
            pids = tree(process.process.pid)[1:]  # without unshare itself
            assert len(pids) >= 1 + 2
            wait_until(partial(has_no_orphans, process))
        stop(process, tree(process.process.pid)[1:], way)


def test_import_as_the_first_process_can_be_stopped(
    server_command: list[str], container: list[str], tmp_path: Path
) -> None:
    """The kernel passes over signals without a handler there."""
    command = [*container, *server_command]
    process = ServerProcess(command, "apps.slow_import:app", ["-p", "0"], tmp_path)
    process.wait_for_log("app: importing")
    begun = time.monotonic()
    kill(tree(process.process.pid)[1])
    assert process.wait() == 0
    assert time.monotonic() - begun < 2
