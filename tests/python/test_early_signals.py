"""Signals about workers and logs, sent before or after there is anything for them to do."""

from __future__ import annotations

import signal
import time

import pytest
from conftest import StartServer
from processes import workers_of
from server_process import ServerProcess
from test_workers import APP, answering
from waiting import wait_until

pytestmark = pytest.mark.python_side

SUPERVISORS = ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGTTIN", "SIGTTOU")
IMPORTING = "app: importing"


@pytest.mark.parametrize("name", SUPERVISORS)
def test_process_that_imports_survives_a_signal(server: StartServer, name: str) -> None:
    process = server("apps.slow_import:app", listen=False)
    process.wait_for_log(IMPORTING)
    process.send_signal(signal.Signals[name])
    time.sleep(0.3)
    assert process.is_running()
    process.send_signal()
    assert process.wait() in (0, 128 + signal.SIGTERM, -signal.SIGTERM)


@pytest.mark.parametrize("name", SUPERVISORS)
def test_supervisor_survives_a_signal_at_any_time_of_its_start(
    server: StartServer, name: str
) -> None:
    process = server(APP, "--workers", "2", listen=False)
    process.wait_for_log("Starting server at")
    until = time.monotonic() + 0.4
    while time.monotonic() < until:
        process.send_signal(signal.Signals[name])
        time.sleep(0.002)
    process.wait_until_listening()
    assert process.get("/").status_code == 200
    assert process.stop() == 0
    assert "Traceback" not in process.log()


def starting(server: StartServer, workers: int) -> ServerProcess:
    """A service whose workers all run, but aren't ready yet."""
    env = {"TEST_START_SECONDS": "1"}
    process = server(APP, "--workers", str(workers), env=env, listen=False)
    wait_until(lambda: len(workers_of(process)) == workers)
    return process


def test_worker_that_is_taken_away_while_all_start(server: StartServer) -> None:
    process = starting(server, 3)
    process.send_signal(signal.SIGTTOU)
    process.wait_until_listening()
    wait_until(lambda: len(workers_of(process)) == 2, 10)
    assert answering(process) == set(workers_of(process))
    assert process.stop() == 0


def test_worker_that_is_added_while_all_start(server: StartServer) -> None:
    process = starting(server, 2)
    process.send_signal(signal.SIGTTIN)
    process.wait_until_listening()
    wait_until(lambda: process.log().count("is ready") == 3, 10)
    assert answering(process) == set(workers_of(process))
    assert process.stop() == 0


def test_number_of_workers_stays_while_all_stop(server: StartServer) -> None:
    process = server(APP, "--workers", "2")
    with process.connect() as wire:
        wire.request("/sleep/1.5")
        time.sleep(0.3)
        process.send_signal()
        process.wait_for_log("(?i)has stopped")
        for signum in (signal.SIGTTIN, signal.SIGTTOU, signal.SIGHUP):
            process.send_signal(signum)
        assert wire.response().status == 200
    assert process.wait() == 0
    log = process.log()
    assert "failed at something" not in log
    assert "Adding worker" not in log
    assert "Taking worker" not in log
