"""A process without a free descriptor: clients wait for one, instead of being closed."""

from __future__ import annotations

import resource
import select
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import StartServer
from server_process import ServerProcess
from waiting import wait_until
from wire import Wire

CLIENTS = 300
SERVED = 20
"""Descriptors that are left for them."""

pytestmark = pytest.mark.usefixtures("enough_descriptors")


def leave_descriptors(process: ServerProcess, count: int) -> None:
    """Lowers the limit of open files of the process, or raises it."""
    if process.is_sanitized():
        pytest.skip("the sanitizer asks the kernel by a pipe whether it may read memory")
    used = max(int(path.name) for path in Path(f"/proc/{process.process.pid}/fd").iterdir())
    _, hard = resource.prlimit(process.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.process.pid, resource.RLIMIT_NOFILE, (used + 1 + count, hard))


def readable(clients: list[Wire]) -> list[Wire]:
    """Those that have got an answer, or whose connection was closed."""
    poll = select.poll()
    for client in clients:
        poll.register(client.sock, select.POLLIN)
    found = {descriptor for descriptor, _ in poll.poll(0)}
    return [client for client in clients if client.sock.fileno() in found]


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_clients_wait_for_a_descriptor(server: StartServer, tmp_path: Path, family: str) -> None:
    flags = ("-u", str(tmp_path / "socket")) if family == "unix" else ()
    process = server("apps.probe:app", *flags)
    with process.connect() as former, ExitStack() as stack:
        assert former.get("/").body == b"hello"
        leave_descriptors(process, SERVED)
        clients = [stack.enter_context(process.connect()) for _ in range(CLIENTS)]
        for client in clients:
            client.request("/")
        process.wait_for_log("too many open files: new connections wait")
        wait_until(lambda: len(readable(clients)) >= SERVED - 5)
        cpu = process.cpu_seconds()
        time.sleep(1)
        assert process.cpu_seconds() - cpu < 0.3
        assert len(readable(clients)) <= SERVED
        assert former.get("/").body == b"hello"
        # Whoever goes makes room for others.
        waiting = list(clients)
        while len(waiting) > CLIENTS // 2:
            wait_until(lambda: readable(waiting))
            for client in readable(waiting):
                assert client.response().body == b"hello"
                client.close()
                waiting.remove(client)
        # And so does a higher limit.
        leave_descriptors(process, 2 * CLIENTS)
        for client in waiting:
            assert client.response().body == b"hello"
    lines = [line for line in process.log().splitlines() if "too many open files" in line]
    assert 1 <= len(lines) <= 12
    assert process.stop() == 0


def test_a_stop_does_not_wait_for_a_descriptor(server: StartServer) -> None:
    process = server("apps.probe:app")
    leave_descriptors(process, 1)
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(process.connect()).request("/")
        process.wait_for_log("too many open files: new connections wait")
        begun = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - begun < 5
