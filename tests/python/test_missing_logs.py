"""A folder of logs that is removed while the service runs, and comes back."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import httpx
import pytest
from conftest import StartServer
from processes import workers_of
from test_supervised_metrics import flags, monitor, sample
from test_workers import APP
from waiting import wait_until

__all__ = ["monitor"]

pytestmark = pytest.mark.python_side


def test_worker_starts_again_without_the_folder_of_its_access_log(
    server: StartServer, tmp_path: Path, monitor: httpx.Client
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = folder / "access.log"
    process = server(APP, *flags(tmp_path, "--workers", "1", "--access-log", str(log)))
    shutil.rmtree(folder)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    process.wait_for_log(r"(?s)Can't open the access log \S+: No such file.*is ready, process")
    with process.connect() as wire:
        for _ in range(50):  # more than a process keeps
            assert wire.get("/?" + "x" * 8000).status == 200
    dropped = 'cppasgi_log_lines_dropped_total{log="access"}'
    wait_until(lambda: sample(monitor, dropped) > 0)
    folder.mkdir()
    process.send_signal(signal.SIGUSR1)
    wait_until(lambda: log.exists() and "x" * 8000 in log.read_text(), 10)  # what was kept
    process.get("/after")
    wait_until(lambda: "/after" in log.read_text())
    assert process.stop() == 0


def test_first_start_without_the_folder_of_its_access_log_fails(
    server: StartServer, tmp_path: Path
) -> None:
    log = tmp_path / "nowhere" / "access.log"
    process = server(APP, "--workers", "2", "--access-log", str(log), listen=False)
    assert process.wait() == 1
    assert "Can't open the access log" in process.log()
