"""A service manager that stops all processes of a unit at once, or one of them more than once.

systemd signals every process of a unit, and the supervisor passes the signal on: a worker gets it
twice within moments, which must not mean "at once".
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import StartServer
from processes import is_alive, workers_of
from server_process import ServerProcess
from waiting import wait_until
from wire import Wire

APP = "apps.working:app"


def signal_all(process: ServerProcess, signum: signal.Signals = signal.SIGTERM) -> None:
    """As systemd does with KillMode=control-group; workers first, which is the harder order."""
    for pid in (*workers_of(process), process.process.pid):
        os.kill(pid, signum)


Ask = Callable[[ServerProcess, int, str], list[Wire]]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Sends so many requests of a path, and waits until the application has them."""
    with ExitStack() as stack:

        def send(process: ServerProcess, count: int, path: str) -> list[Wire]:
            wires = [stack.enter_context(process.connect()) for _ in range(count)]
            for wire in wires:
                wire.request(path)
            time.sleep(0.3)
            return wires

        yield send


def all_answered(wires: list[Wire]) -> bool:
    return [wire.response().status for wire in wires] == [200] * len(wires)


@pytest.mark.parametrize("gap", [0.0, 0.05, 0.6])
def test_repeated_sigterm_is_one_request(server: StartServer, ask: Ask, gap: float) -> None:
    process = server(APP)
    wires = ask(process, 1, "/sleep/1")
    process.send_signal()
    time.sleep(gap)
    process.send_signal()
    assert all_answered(wires)
    assert process.wait() == 0


def test_sigterm_while_the_process_ends_changes_nothing(server: StartServer) -> None:
    process = server(APP)
    process.get("/")
    while process.is_running():
        process.send_signal()
        time.sleep(0.002)
    assert process.wait() == 0


def test_all_processes_of_a_unit_are_stopped_at_once(server: StartServer, ask: Ask) -> None:
    process = server(APP, "--workers", "2")
    wires = ask(process, 6, "/sleep/1")
    signal_all(process)
    time.sleep(0.05)
    signal_all(process)
    assert all_answered(wires)
    assert process.wait() == 0
    assert process.log().count("has stopped") == 2


def test_supervisor_that_ends_is_not_hurried(server: StartServer) -> None:
    process = server(APP, "--workers", "2")
    process.get("/")
    while process.is_running():
        process.send_signal()
        time.sleep(0.002)
    assert process.wait() == 0


def test_stop_of_a_unit_during_a_replacement(server: StartServer, ask: Ask) -> None:
    process = server(APP, "--workers", "1", "--worker-lifetime", "1000")
    wires = ask(process, 2, "/sleep/3")
    process.send_signal(signal.SIGHUP)
    process.wait_for_log(r"(?s)is ready.*is ready")
    time.sleep(0.2)
    signal_all(process)
    assert all_answered(wires)
    assert process.wait() == 0


def test_supervisor_that_is_killed_during_a_stop(server: StartServer, ask: Ask) -> None:
    process = server(APP, "--workers", "2")
    wires = ask(process, 4, "/sleep/3")
    workers = workers_of(process)
    signal_all(process)
    time.sleep(1.2)  # from here on a second signal would mean "at once"
    process.process.kill()
    process.wait()
    assert all_answered(wires)
    wait_until(lambda: not any(map(is_alive, workers)))


def test_sigterm_during_the_import_of_the_application(server: StartServer) -> None:
    process = server("apps.slow_import:app", listen=False)
    process.wait_for_log("app: importing")
    begun = time.monotonic()
    assert process.stop() == 0
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("starting", ["app: importing", "Starting server"])
def test_stop_of_a_unit_that_is_starting(server: StartServer, starting: str) -> None:
    process = server("apps.slow_import:app", "--workers", "2", listen=False)
    process.wait_for_log(starting)
    wait_until(lambda: len(workers_of(process)) == 2)
    begun = time.monotonic()
    signal_all(process)
    assert process.wait() == 0
    assert time.monotonic() - begun < 1


def test_time_of_a_signal_is_when_it_came(server: StartServer, ask: Ask) -> None:
    """Not when Python got to it, which code in C may put off."""
    process = server(APP)
    wires = ask(process, 1, "/computing/1.5")
    process.send_signal()
    time.sleep(0.6)  # it computes by now
    process.send_signal()
    assert all_answered(wires)
    assert process.wait() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("second", "after"), [(signal.SIGTERM, 1.2), (signal.SIGINT, 0.1), (signal.SIGINT, 1.2)]
)
def test_signal_that_insists_ends_everything_at_once(
    server: StartServer, ask: Ask, workers: str, second: signal.Signals, after: float
) -> None:
    process = server(APP, "--workers", workers)
    ask(process, 1, "/sleep/20")
    all_processes = [process.process.pid, *workers_of(process)]
    process.send_signal()
    time.sleep(after)
    begun = time.monotonic()
    assert process.stop(second) == 128 + second
    assert time.monotonic() - begun < 1
    wait_until(lambda: not any(map(is_alive, all_processes)), 1)


def test_signals_for_a_supervisor_do_nothing_without_one(server: StartServer) -> None:
    process = server(APP, env={"TEST_START_SECONDS": "1"}, listen=False)
    process.wait_for_log("Starting server")
    for signum in (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU):
        process.send_signal(signum)
    process.wait_until_listening()
    for signum in (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU):
        process.send_signal(signum)
        assert process.get("/").status_code == 200
    process.wait_for_log("(?s)(SIGHUP reloads nothing without --workers.*){2}")
    assert process.stop() == 0


def test_ignored_hangup_stays_ignored(server_command: list[str], tmp_path: Path) -> None:
    process = ServerProcess(["nohup", *server_command], APP, ["-p", "0"], tmp_path)
    try:
        process.wait_until_listening().send_signal(signal.SIGHUP)
        assert process.get("/").status_code == 200
        assert "SIGHUP" not in process.log()
    finally:
        process.kill()
