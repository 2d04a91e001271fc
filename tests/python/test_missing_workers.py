"""What is told of workers that are missing: those that die again and again, or end stuck."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from conftest import StartServer
from processes import workers_of
from test_supervised_metrics import APP, flags, monitor, sample
from waiting import wait_until

__all__ = ["monitor"]

pytestmark = pytest.mark.python_side


def test_deaths_of_a_worker_that_cannot_start_again_are_counted(
    server: StartServer, tmp_path: Path, monitor: httpx.Client
) -> None:
    broken = tmp_path / "broken"
    args = flags(tmp_path, "--workers", "2", "--lifespan", "on")
    process = server(APP, *args, env={"TEST_BROKEN": str(broken)})
    assert monitor.get("/readyz").text == "ready\n"
    broken.touch()
    os.kill(workers_of(process)[0], signal.SIGKILL)
    found = process.wait_for_log(r"Worker (\d) is started again in")
    number = found[1]
    wait_until(lambda: sample(monitor, 'cppasgi_worker_restarts_total{reason="died"}') >= 3)
    assert monitor.get("/readyz").status_code == 200
    assert monitor.get("/readyz").text == f"ready, but worker {number} is missing\n"
    assert monitor.get("/status").json()["missing"] == [int(number)]
    command = [sys.executable, "-m", "cppasgi", "status", *flags(tmp_path)]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    assert f"ready, but worker {number} is missing" in text
    assert " died" in text
    broken.unlink()
    wait_until(lambda: monitor.get("/readyz").text == "ready\n", 20)
    assert monitor.get("/status").json()["missing"] == []
    assert process.stop() == 0


def test_no_worker_is_missing_or_dies_while_all_are_replaced(
    server: StartServer, tmp_path: Path, monitor: httpx.Client
) -> None:
    args = flags(tmp_path, "--workers", "2")
    process = server(APP, *args, env={"TEST_START_SECONDS": "0.3"})
    before = set(workers_of(process))
    process.send_signal(signal.SIGHUP)
    seen = set()

    def are_replaced() -> bool:
        seen.add(monitor.get("/readyz").text)
        return before.isdisjoint(workers_of(process))

    wait_until(are_replaced, 20)
    assert seen == {"ready\n"}
    wait_until(lambda: sample(monitor, 'cppasgi_worker_restarts_total{reason="replaced"}') == 2)
    assert sample(monitor, 'cppasgi_worker_restarts_total{reason="died"}') == 0
    assert process.stop() == 0


def test_stuck_worker_that_ends_while_it_is_replaced_counts_as_stuck(
    server: StartServer, tmp_path: Path, monitor: httpx.Client
) -> None:
    process = server(APP, *flags(tmp_path, "--workers", "1", "--worker-timeout", "2"))
    with process.connect() as wire:
        wire.request("/in-c")
        process.send_signal(signal.SIGHUP)
        process.wait_for_log("exited with status 4", 20)
    wait_until(lambda: sample(monitor, 'cppasgi_worker_restarts_total{reason="stuck"}') == 1)
    assert sample(monitor, 'cppasgi_worker_restarts_total{reason="replaced"}') == 1
    assert process.stop() == 0
