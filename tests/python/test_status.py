"""`cppasgi status` and `cppasgi top`, of apps/monitored.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from monitored_process import Monitored, monitored, start

__all__ = ["monitored", "start"]

pytestmark = pytest.mark.python_side


def run(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cppasgi", *args],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=20,
    )


def test_status_prints_a_line_for_each_worker(monitored: Monitored) -> None:
    result = run("status", "--metrics", monitored.address)
    assert (result.returncode, result.stderr) == (0, "")
    first, _head, worker = result.stdout.splitlines()
    assert ", ready, up " in first
    assert "restarts: 2 exited" in first
    assert worker.split()[:3] == ["0", str(monitored.process.pid), "ready"]


def test_status_as_json_at_an_address_from_the_environment(monitored: Monitored) -> None:
    result = run("status", "--json", CPPASGI_METRICS=monitored.address)
    assert result.returncode == 0
    assert json.loads(result.stdout)["workers"][0]["pid"] == monitored.process.pid


def test_status_of_a_service_that_is_not_ready_fails(monitored: Monitored) -> None:
    result = run("status", "--metrics", f"{monitored.unready[0]}:{monitored.unready[1]}")
    assert result.returncode == 1
    assert ", not ready (out of luck), up " in result.stdout


def test_top_draws_the_workers(monitored: Monitored) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "cppasgi",
            "top",
            "--interval",
            "0.2",
            "--metrics",
            monitored.address,
        ],
        env={**os.environ, "COLUMNS": "150"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(1.5)
    process.send_signal(2)
    output, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")
    assert str(monitored.process.pid) in output


def test_top_leaves_columns_out_that_do_not_fit() -> None:
    from cppasgi.command.status import _SHORT_HEAD, _cells, _fitting

    worker = {
        **dict.fromkeys(("connections", "websockets", "application_calls"), 123_456),
        **dict.fromkeys(("requests", "messages", "limits"), 12_345_678),
        **{"number": 12, "pid": 4_194_304, "state": "draining", "uptime": 86_400 * 200.0},
        **{"heartbeat_age": 1234.5, "loop_lag": 12.3456, "resident_bytes": 12 << 30},
        "cpu_seconds": 1_234_567.8,
    }
    for row in (_cells(worker, None, 0), _cells(worker, {**worker, "requests": 0}, 1)):
        head, fitting = _fitting([_SHORT_HEAD, row], 80)
        widths = [max(map(len, column)) + 2 for column in zip(head, fitting, strict=True)]
        assert sum(widths) <= 80
        assert {"#", "state", "conns", "req", "cpu"} <= set(head)
        assert len(_fitting([_SHORT_HEAD, row], 200)[0]) == len(_SHORT_HEAD)


def test_top_fits_80_columns(monitored: Monitored) -> None:
    command = [sys.executable, "-m", "cppasgi", "top", "--interval", "0.2"]
    process = subprocess.Popen(
        [*command, "--metrics", monitored.address],
        env={**os.environ, "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(1.5)
    process.send_signal(2)
    output, _ = process.communicate(timeout=10)
    lines = output.splitlines()
    assert "ready" in output
    assert "…" not in output
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (["--metrics", "127.0.0.1:1"], 1, "no answer from 127.0.0.1:1: Connection refused"),
        (["--metrics", "unix:/nowhere"], 1, "no answer from unix:/nowhere: No such file or dir"),
        (["--metrics", "nowhere"], 1, "'nowhere' is neither HOST:PORT nor unix:PATH"),
        ([], 2, "--metrics ADDRESS or the variable CPPASGI_METRICS is needed"),
    ],
)
@pytest.mark.parametrize("command", ["status", "top"])
def test_mistakes_are_one_line(command: str, args: list[str], status: int, message: str) -> None:
    result = run(command, *args)
    assert result.returncode == status
    assert message in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_another_server_is_not_taken_for_cppasgi(monitored: Monitored) -> None:
    result = run("status", "--metrics", f"{monitored.site[0]}:{monitored.site[1]}")
    assert result.returncode == 1
    assert "is not the address of cppasgi's --metrics" in result.stderr


@pytest.mark.parametrize("module", ["rich", "prometheus_client"])
def test_a_missing_library_is_one_clear_line(
    monitored: Monitored, module: str, tmp_path: Path
) -> None:
    (tmp_path / f"{module}.py").write_text("raise ImportError")
    if module == "rich":
        result = run("top", "--metrics", monitored.address, PYTHONPATH=str(tmp_path))
        assert result.stderr == (
            "cppasgi top: top needs the library rich: pip install 'cppasgi[metrics]'\n"
        )
        return
    code = (
        "from cppasgi.observing.board import MetricsBoard\n"
        "from cppasgi.observing.monitoring import monitoring_application\n"
        "monitoring_application(MetricsBoard.create(), lambda: None)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert result.stderr.splitlines()[-1] == (
        "ImportError: metrics need the library prometheus-client: pip install 'cppasgi[metrics]'"
    )
