"""Event loops that are stuck for good: their processes end, say in what, and are replaced."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import StartServer
from processes import is_alive, workers_of
from server_process import ServerProcess
from test_supervised_metrics import flags, sample
from test_workers import answering
from waiting import wait_until
from wire import Wire

from cppasgi.serving.loop_guard import EXIT_STUCK

pytestmark = pytest.mark.python_side

APP = "apps.working:app"
WAYS = ["/blocked/1000", "/in-c"]
"""How an event loop is stuck: Python still runs beside it, or not."""


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[httpx.Client]:
    transport = httpx.HTTPTransport(uds=str(tmp_path / "metrics.sock"), verify=False)
    with httpx.Client(transport=transport, base_url="http://monitor", trust_env=False) as client:
        yield client


def block(process: ServerProcess, path: str, stack: contextlib.ExitStack) -> None:
    """Has one worker stuck."""
    stack.enter_context(process.connect()).request(path)


@pytest.mark.parametrize("path", WAYS)
def test_single_process_ends_itself_with_its_stacks(server: StartServer, path: str) -> None:
    process = server(APP, "--worker-timeout", "1")
    with contextlib.ExitStack() as stack:
        block(process, path, stack)
        assert process.wait() == EXIT_STUCK
    found = re.search(r"process (\d+) is stuck: its event loop has not run for 1 s", process.log())
    assert found is not None
    assert int(found[1]) == process.process.pid
    assert 'apps/working.py", line' in process.log()


@pytest.mark.parametrize("path", WAYS)
def test_stuck_worker_is_replaced(
    server: StartServer, tmp_path: Path, monitor: httpx.Client, path: str
) -> None:
    args = flags(tmp_path, "--workers", "2", "--worker-timeout", "5")
    process = server(APP, *args)
    before = set(workers_of(process))
    with contextlib.ExitStack() as stack:
        block(process, path, stack)
        wait_until(lambda: sum(sample_states(monitor, "stuck")) == 1)
        ready = monitor.get("/readyz")
        assert (ready.status_code, ready.text[:17]) == (200, "ready, but worker")
        assert sorted(worker["state"] for worker in states(monitor)) == ["ready", "stuck"]
        assert monitor.get("/healthz").status_code == 200
        process.wait_for_log(rf"exited with status {EXIT_STUCK}")
        answering(process, 10)  # the other one serves, and soon the successor
    process.wait_for_log(rf"(?s)exited with status {EXIT_STUCK}.*is ready")
    assert 'apps/working.py", line' in process.log()
    assert len(before & set(workers_of(process))) == 1
    assert len(answering(process)) == 2
    wait_until(lambda: sample(monitor, 'cppasgi_worker_restarts_total{reason="stuck"}') == 1)
    assert sample(monitor, 'cppasgi_worker_restarts_total{reason="died"}') == 0
    assert monitor.get("/readyz").text == "ready\n"
    assert process.stop() == 0


def states(monitor: httpx.Client) -> list[dict[str, str]]:
    workers: list[dict[str, str]] = monitor.get("/status").json()["workers"]
    return workers


def sample_states(monitor: httpx.Client, state: str) -> list[float]:
    text = monitor.get("/metrics").text
    found = re.findall(
        rf'^cppasgi_worker_state\{{.*state="{state}".*\}} (\S+)$', text, re.MULTILINE
    )
    return list(map(float, found))


def test_nobody_is_ready_while_the_only_worker_is_stuck(
    server: StartServer, tmp_path: Path, monitor: httpx.Client
) -> None:
    process = server(APP, *flags(tmp_path, "--worker-timeout", "0"))
    with contextlib.ExitStack() as stack:
        block(process, "/blocked/1000", stack)
        wait_until(lambda: monitor.get("/readyz").status_code == 503)
        wait_until(lambda: "worker 1 is stuck" in monitor.get("/readyz").text)
        worker = workers_of(process)[0]
        time.sleep(2)
        assert is_alive(worker)
    os.kill(worker, signal.SIGKILL)


def stopped(pids: list[int], seconds: float) -> None:
    """Stops processes for so long, as job control, a debugger or a frozen cgroup does."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("who", ["single", "worker", "supervisor", "both"])
def test_stopped_processes_are_not_stuck(
    server: StartServer, tmp_path: Path, monitor: httpx.Client, who: str
) -> None:
    more = () if who == "single" else flags(tmp_path, "--workers", "2")
    process = server(APP, "--worker-timeout", "1", *more)
    supervisor = process.process.pid
    workers = workers_of(process)
    pids = {
        "single": [supervisor],
        "worker": workers[:1],
        "supervisor": [supervisor],
        "both": [supervisor, *workers],
    }[who]
    stopped(pids, 3)
    if who in ("supervisor", "both"):
        assert sum(sample_states(monitor, "stuck")) == 0
    for _ in range(30):
        assert all(map(is_alive, [supervisor, *workers]))
        time.sleep(0.05)
    assert answering(process, 10) <= {supervisor, *workers}
    assert "is stuck" not in process.log()
    assert process.stop() == 0


def test_slow_start_is_not_stuck(server: StartServer) -> None:
    process = server(
        APP, "--workers", "2", "--worker-timeout", "0.5", env={"TEST_START_SECONDS": "2"}
    )
    assert process.get("/").status_code == 200
    assert "is stuck" not in process.log()
    assert process.stop() == 0


def test_stop_has_bounds_of_its_own(server: StartServer) -> None:
    process = server(APP, "--worker-timeout", "1", "--graceful-timeout", "12")
    with process.connect() as wire:
        wire.request("/computing/2")  # in 0.6 s
        time.sleep(0.2)
        process.send_signal()
        assert wire.response().status == 200
    assert process.wait() == 0
    assert "is stuck" not in process.log()


def wait_for_end(process: ServerProcess) -> None:
    process.wait_for_log(rf"exited with status {EXIT_STUCK}", 20)
    time.sleep(0.1)  # the supervisor hears of it


def get_within(process: ServerProcess, seconds: float) -> set[int]:
    """The processes that answer 40 new connections, each so soon."""
    answered = set()
    for _ in range(40):
        begun = time.monotonic()
        with process.connect() as wire:
            answered.add(int(wire.get("/").body))
        assert time.monotonic() - begun < seconds
    return answered


@pytest.mark.parametrize("end", ["stuck", "killed after a long life", "killed in a replacement"])
def test_no_connection_waits_for_the_successor(server: StartServer, end: str) -> None:
    """The successor takes a while to start; the kernel would hand its place half of all clients."""
    env = {"TEST_START_SECONDS": "4"}
    process = server(APP, "--workers", "2", "--worker-timeout", "1", env=env)
    with contextlib.ExitStack() as stack:
        if end == "stuck":
            block(process, "/blocked/1000", stack)
            wait_for_end(process)
        else:
            victim = re.findall(r"Worker 1 is ready, process (\d+)", process.log())[0]
            if end == "killed after a long life":
                time.sleep(8)  # and the start: what lives for 10 s isn't one that can't live
            else:
                process.send_signal(signal.SIGHUP)
                process.wait_for_log("Replacing the workers")
                time.sleep(1)
            os.kill(int(victim), signal.SIGKILL)
            process.wait_for_log("was ended by SIGKILL")
            time.sleep(0.1)
        assert len(get_within(process, 2)) == 1
    process.wait_for_log(r"(?s)(exited with|was ended by).*is ready", 20)
    if end == "killed in a replacement":
        process.wait_for_log(r"Worker 2 \(process \d+\) has stopped", 20)
    wait_until(lambda: len(workers_of(process)) == 2, 20)
    assert answering(process) == set(workers_of(process))
    assert process.stop() == 0


def test_new_connections_go_on_when_both_have_died(server: StartServer) -> None:
    process = server(APP, "--workers", "2")
    for pid in workers_of(process):
        os.kill(pid, signal.SIGKILL)
    process.wait_for_log(r"(?s)(was ended by SIGKILL.*){2}")
    assert get_within(process, 10)  # whoever came meanwhile has waited for the first
    process.wait_for_log(r"(?s)(was ended by SIGKILL.*){2}(is ready.*){2}")
    assert answering(process) == set(workers_of(process))


def test_nobody_waits_for_a_worker_that_will_not_come_soon(
    server: StartServer, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    process = server(
        *(APP, "--worker-lifetime", "1000", "--lifespan", "on"), env={"TEST_BROKEN": str(broken)}
    )
    broken.touch()
    os.kill(workers_of(process)[0], signal.SIGKILL)
    process.wait_for_log("is started again in 4 s", 20)
    with pytest.raises(ConnectionRefusedError):
        process.connect()
    broken.unlink()
    process.wait_for_log(r"(?s)again in 4 s.*is ready", 20)
    assert process.get("/").status_code == 200
    assert process.stop() == 0


def test_unix_socket_is_served_by_the_others(server: StartServer, tmp_path: Path) -> None:
    path = str(tmp_path / "server.sock")
    env = {"TEST_START_SECONDS": "3"}
    process = server(APP, "--workers", "2", "--worker-timeout", "1", "-u", path, env=env)
    with contextlib.ExitStack() as stack:
        block(process, "/in-c", stack)
        time.sleep(0.3)
        assert len(get_within(process, 2)) == 1
        wait_for_end(process)
        assert len(get_within(process, 2)) == 1
    assert process.stop() == 0


def test_before_its_time_is_over_only_its_own_clients_wait(server: StartServer) -> None:
    process = server(APP, "--workers", "2", "--worker-timeout", "4")
    with contextlib.ExitStack() as stack:
        block(process, "/blocked/1000", stack)
        time.sleep(0.3)
        wires = [stack.enter_context(process.connect()) for _ in range(40)]
        for wire in wires:
            wire.request("/")
        time.sleep(1)
        served, left = [], []
        for wire in wires:
            (served if is_readable(wire) else left).append(wire)
        assert served
        assert left  # the stuck one's share
        assert len({wire.response().body for wire in served}) == 1
        wait_for_end(process)
        wait_until(lambda: all(map(is_readable, left)))


def is_readable(wire: Wire) -> bool:
    """Whether there is an answer, or the connection has ended."""
    return bool(select.select([wire.sock], [], [], 0)[0])
