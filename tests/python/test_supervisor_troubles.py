"""What goes wrong around a supervisor, and what it does then: nothing of that is for ever."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import httpx
import pytest
from conftest import StartServer
from processes import workers_of
from server_process import ServerProcess
from test_workers import APP, answering
from waiting import wait_until

import cppasgi
from cppasgi.observing.board import LEAST_SLOTS, SLOTS_PER_WORKER, MetricsBoard
from cppasgi.processes.jobs import Jobs
from cppasgi.processes.live_settings import LiveSettings
from cppasgi.processes.recycling import WorkerLimits
from cppasgi.processes.workers import Workers
from cppasgi.serving.listeners import Listeners


def replaced(process: ServerProcess) -> list[int]:
    """The workers, once SIGHUP has replaced all of them."""
    before = set(workers_of(process))
    process.send_signal(signal.SIGHUP)
    wait_until(lambda: before.isdisjoint(workers_of(process)), 30)
    return workers_of(process)


def test_worker_that_is_taken_away_during_a_replacement(server: StartServer) -> None:
    process = server(APP, "--workers", "3", env={"TEST_START_SECONDS": "0.5"})
    before = workers_of(process)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)  # the first successor starts
    process.send_signal(signal.SIGTTOU)
    wait_until(lambda: set(before).isdisjoint(workers_of(process)), 30)
    wait_until(lambda: len(workers_of(process)) == 2, 10)
    assert len(replaced(process)) == 2
    assert answering(process) == set(workers_of(process))
    assert "Traceback" not in process.log()
    assert "stay as they are" not in process.log()
    assert process.stop() == 0


@pytest.mark.python_side
def test_permanent_job_goes_on_after_any_failure(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cppasgi.processes.jobs._PAUSE_SECONDS", 0)
    calls = 0

    async def fails() -> None:
        nonlocal calls
        calls += 1
        raise ValueError("not today")

    async def main() -> None:
        jobs = Jobs()
        jobs.begin_permanent(fails)
        while calls < 3:
            await asyncio.sleep(0.001)
        jobs.cancel()
        await jobs.finish()

    asyncio.run(main())
    assert caplog.text.count("The supervisor failed at something: not today") >= 3


def test_worker_that_cannot_start_again_takes_no_connections(
    server: StartServer, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    env = {"TEST_BROKEN": str(broken)}
    process = server(APP, "--workers", "2", "--lifespan", "on", env=env)
    assert len(answering(process)) == 2
    broken.touch()
    os.kill(workers_of(process)[0], signal.SIGKILL)
    process.wait_for_log("Worker . is started again in")
    begun = time.monotonic()
    assert len(answering(process)) == 1
    assert time.monotonic() - begun < 10
    broken.unlink()
    process.wait_for_log(r"(?s)is started again in.*is ready", 20)
    assert answering(process) == set(workers_of(process))
    assert process.stop() == 0


def test_last_worker_that_dies_leaves_the_waiting_to_its_successor(server: StartServer) -> None:
    env = {"TEST_START_SECONDS": "0.5"}
    process = server(APP, "--workers", "1", "--worker-lifetime", "1000", env=env)
    old = workers_of(process)[0]
    os.kill(old, signal.SIGKILL)
    process.wait_for_log("was ended by SIGKILL")
    assert int(process.get("/").text) != old


@pytest.mark.python_side
def test_board_has_places_for_all_workers_there_may_be() -> None:
    board = MetricsBoard.create(1024 * SLOTS_PER_WORKER)  # as many as --workers takes
    slots = [board.allocate() for _ in range(1024 * SLOTS_PER_WORKER)]
    assert len({slot.place for slot in slots}) == 4096
    board.close()
    assert LEAST_SLOTS >= SLOTS_PER_WORKER


@pytest.mark.python_side
def test_worker_without_a_place_on_the_board_is_not_added(
    caplog: pytest.LogCaptureFixture,
) -> None:
    code = """
import json, os, time
os.write(json.loads(os.environ["_CPPASGI_WORKER"])["ready_fd"], b"1")
time.sleep(20)
"""

    async def main() -> None:
        stopping = asyncio.Event()
        jobs = Jobs()
        workers = Workers(
            [sys.executable, "-c", code],
            MetricsBoard.create(1),
            LiveSettings(1, 0, 0, 0, WorkerLimits(0, 0, 0)),
            jobs,
            stopping,
            reloads=False,
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, workers.check)
        listeners = Listeners(["tcp:0:interface=127.0.0.1"], shared=True)
        await workers.start(listeners.open(), 1)
        workers.are_up = True
        await workers.add()
        assert len(workers.slots) == 1
        stopping.set()
        jobs.cancel()
        await workers.stop()
        assert workers.status == 0

    asyncio.run(main())
    assert "Worker 2 can't be started: all slots of the metrics board are taken" in caplog.text


@pytest.mark.python_side
def test_workers_of_another_version_are_served_but_not_counted(
    server: StartServer, tmp_path: Path
) -> None:
    """An upgrade in place, and then SIGHUP: the supervisor is still the old one."""
    package = tmp_path / "cppasgi"
    shutil.copytree(Path(cppasgi.__file__).parent, package)
    metrics = f"unix:{tmp_path}/metrics.sock"
    process = server(
        *(APP, "--workers", "1", "--metrics", metrics), env={"PYTHONPATH": str(tmp_path)}
    )
    for _ in range(3):
        process.get("/")
    with (package / "observing/board.py").open("a") as board:
        board.write("\nLAYOUT_ID += 1  # of the next version\n")
    assert len(replaced(process)) == 1
    process.wait_for_log("Worker 1 is of another version of cppasgi than its supervisor")
    assert process.get("/").status_code == 200
    time.sleep(4)  # a worker without a sign of life for 3 s would count as stuck
    transport = httpx.HTTPTransport(uds=f"{tmp_path}/metrics.sock", verify=False)
    with httpx.Client(transport=transport) as client:
        assert client.get("http://test/readyz").status_code == 200
        status = json.loads(client.get("http://test/status").text)
        assert status["totals"]["requests"] == 3
    assert process.stop() == 0
