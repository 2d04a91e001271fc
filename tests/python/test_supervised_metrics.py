"""`--metrics`: what the supervisor answers while its workers serve, are stuck, and die."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import StartServer
from processes import workers_of
from test_workers import answering
from waiting import wait_until

pytestmark = pytest.mark.python_side

APP = "apps.working:app"


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[httpx.Client]:
    transport = httpx.HTTPTransport(uds=str(tmp_path / "metrics.sock"), verify=False)
    with httpx.Client(transport=transport, base_url="http://monitor", trust_env=False) as client:
        yield client


def flags(tmp_path: Path, *more: str) -> tuple[str, ...]:
    return ("--metrics", f"unix:{tmp_path / 'metrics.sock'}", *more)


def sample(monitor: httpx.Client, series: str) -> float:
    """The value of a series; 0 if it isn't there."""
    text = monitor.get("/metrics").text
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_counts_are_those_of_all_workers(
    server: StartServer, tmp_path: Path, monitor: httpx.Client
) -> None:
    """X1."""
    process = server(APP, *flags(tmp_path, "--workers", "2"))
    assert len(answering(process, 30)) == 2
    wait_until(lambda: sample(monitor, 'cppasgi_http_requests_total{status="200"}') == 30)
    assert sample(monitor, "cppasgi_http_request_duration_seconds_count") == 30
    os.kill(workers_of(process)[0], signal.SIGKILL)
    process.wait_for_log(r"(?s)SIGKILL.*is ready")
    # What it says may be a moment old.
    wait_until(lambda: sample(monitor, 'cppasgi_worker_restarts_total{reason="died"}') == 1)
    answering(process, 10)
    wait_until(lambda: sample(monitor, 'cppasgi_http_requests_total{status="200"}') >= 40)
    assert sample(monitor, 'cppasgi_http_requests_total{status="200"}') == 40
    assert process.stop() == 0
    assert not (tmp_path / "metrics.sock").exists()


def test_ready_only_while_a_worker_answers(
    server: StartServer, tmp_path: Path, monitor: httpx.Client
) -> None:
    args = flags(tmp_path, "--graceful-timeout", "1")
    process = server(APP, *args)
    assert monitor.get("/readyz").status_code == 200
    with process.connect() as wire:
        wire.request("/in-c")
        wait_until(lambda: monitor.get("/readyz").status_code == 503)
        assert monitor.get("/readyz").text.startswith("not ready: no event loop answers")
        assert monitor.get("/healthz").status_code == 200
        begun = time.monotonic()
        process.send_signal()
        assert monitor.get("/healthz").status_code == 200
        assert process.wait() == 1
        assert time.monotonic() - begun < 4.5
    assert "cppasgi: not stopped in time" in process.log()
    assert 'apps/working.py", line' in process.log()


def test_not_ready_while_the_stop_is_delayed(
    server: StartServer, tmp_path: Path, monitor: httpx.Client
) -> None:
    process = server(APP, *flags(tmp_path, "--drain-delay", "1"))
    process.send_signal()
    wait_until(lambda: monitor.get("/readyz").status_code == 503)
    assert monitor.get("/readyz").text == "not ready: stopping\n"
    assert process.get("/").status_code == 200
    assert process.wait() == 0


def test_not_ready_before_the_application_has_started(
    server: StartServer, tmp_path: Path, monitor: httpx.Client
) -> None:
    process = server("apps.lifespans:hanging_startup", *flags(tmp_path), listen=False)
    process.wait_for_log("startup begun")
    assert monitor.get("/readyz").status_code == 503
    assert monitor.get("/readyz").text == "not ready: starting, 0 of 1 workers are ready\n"
    assert monitor.get("/healthz").status_code == 200


def test_not_ready_while_the_only_worker_is_being_replaced(
    server: StartServer, tmp_path: Path, monitor: httpx.Client
) -> None:
    process = server(APP, *flags(tmp_path), env={"TEST_START_SECONDS": "1.5"})
    (worker,) = workers_of(process)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: monitor.get("/readyz").text == "not ready: no worker is ready\n")
    assert json.loads(monitor.get("/status").text)["unready"] == "no worker is ready"
    wait_until(lambda: monitor.get("/readyz").text == "ready\n", 20)


def test_worker_is_replaced_after_its_requests(server: StartServer) -> None:
    process = server(APP, "--max-requests", "20")
    first = answering(process, 1)
    for _ in range(22):
        process.get("/")
    process.wait_for_log(r"Replacing worker 1 after (1[89]|2\d) requests")
    process.wait_for_log("has stopped")
    assert answering(process, 1).isdisjoint(first)


def test_successor_starts_with_the_last_of_the_requests(server: StartServer) -> None:
    process = server(APP, "--max-requests", "30")
    for _ in range(33):  # and a tenth
        process.get("/")
        time.sleep(0.1)
    found = process.wait_for_log(r"Replacing worker 1 after (\d+) requests")
    assert 27 <= int(found[1]) <= 33 + 1
    process.wait_for_log("has stopped")


def test_what_comes_with_the_last_of_the_requests_is_answered(server: StartServer) -> None:
    process = server(APP, "--max-requests", "30")
    first = workers_of(process)
    with process.connect() as wire:
        wire.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 60)
        assert [wire.response().status for _ in range(60)] == [200] * 60
    found = process.wait_for_log(r"Replacing worker 1 after (\d+) requests")
    assert 27 <= int(found[1]) <= 60
    process.wait_for_log("has stopped")
    assert workers_of(process) != first


def test_status_command(server: StartServer, tmp_path: Path) -> None:
    process = server(APP, *flags(tmp_path, "--workers", "2"))

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cppasgi", "status", *flags(tmp_path), *args]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)

    status = run("--json")
    assert status.returncode == 0
    workers = json.loads(status.stdout)["workers"]
    assert {worker["pid"] for worker in workers} == set(workers_of(process))
    assert {worker["number"] for worker in workers} == {1, 2}
    assert "ready" in run().stdout
    process.stop()
    assert run().returncode == 1


def test_taken_metrics_address_is_one_line(server: StartServer, tmp_path: Path) -> None:
    server(APP, *flags(tmp_path))
    other = server(APP, *flags(tmp_path), listen=False)
    assert other.wait() == 1
    assert other.log().splitlines()[-1].startswith("cppasgi: Listen failure: Couldn't listen on")
    assert "Traceback" not in other.log()
