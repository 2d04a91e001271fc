"""SIGHUP: all of the configuration file is applied, or the log names what needs a restart."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from conftest import StartServer
from processes import workers_of
from server_process import ServerProcess
from test_supervisor_troubles import replaced
from test_workers import APP, answering
from waiting import wait_until

pytestmark = pytest.mark.python_side


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cppasgi.toml"


def start(server: StartServer, file: Path, text: str) -> ServerProcess:
    file.write_text(text)
    return server(APP, "--config", str(file))


def test_settings_of_workers_and_of_the_supervisor_are_applied(
    server: StartServer, file: Path
) -> None:
    process = start(server, file, "workers = 2\ngraceful-timeout = 100\n")
    assert process.get("/").headers["server"] == "cppasgi"
    file.write_text("workers = 3\ngraceful-timeout = 0.5\nserver-name = 'other'\n")
    replaced(process)
    wait_until(lambda: len(answering(process)) == 3, 20)
    assert process.get("/").headers["server"] == "other"
    file.write_text("workers = 1\ngraceful-timeout = 0.5\nmax-requests = 10\n")
    replaced(process)
    wait_until(lambda: len(workers_of(process)) == 1, 20)
    answering(process, 15)
    process.wait_for_log(r"Replacing worker 1 after \d+ requests")
    process.wait_for_log(r"Worker 1 \(process \d+\) has stopped")
    assert "restart" not in process.log()
    with process.connect() as wire:
        wire.request("/in-c")
        time.sleep(0.2)
        begun = time.monotonic()
        assert process.stop() == 1
        assert time.monotonic() - begun < 8  # not 100


def test_places_that_a_signal_added_or_took_away_stay(server: StartServer, file: Path) -> None:
    process = start(server, file, "workers = 3\n")
    process.send_signal(signal.SIGTTOU)
    process.wait_for_log(r"Worker 3 \(process \d+\) has stopped")
    assert len(replaced(process)) == 2
    file.write_text("workers = 3\nserver-name = 'other'\n")
    assert len(replaced(process)) == 2
    time.sleep(0.5)
    assert len(workers_of(process)) == 2
    assert process.stop() == 0


def test_what_needs_a_restart_is_named(server: StartServer, file: Path, tmp_path: Path) -> None:
    process = start(server, file, "workers = 2\n")
    assert len(replaced(process)) == 2
    assert "Only a restart" not in process.log()
    file.write_text(
        f"workers = 2\nport = 1\nunix-socket = '{tmp_path}/a.sock'\nmetrics = '127.0.0.1:1'\n"
        "reload = true\nendpoint = ['tcp:2']\nping-interval = 3\n"
    )
    assert len(replaced(process)) == 2
    process.wait_for_log(
        "Only a restart applies what was changed of: unix-socket, endpoint, metrics, reload\n"
    )
    assert process.get("/").status_code == 200
    assert process.stop() == 0


@pytest.mark.parametrize("text", ["workers = 0\n", "no such = syntax\n", "nonsense = 1\n"])
def test_wrong_file_changes_nothing(server: StartServer, file: Path, text: str) -> None:
    process = start(server, file, "workers = 2\n")
    before = workers_of(process)
    file.write_text(text)
    process.send_signal(signal.SIGHUP)
    process.wait_for_log("ERROR    The configuration stays as it is, and so do the workers: ")
    assert str(file) in process.log()
    assert workers_of(process) == before
    file.write_text("workers = 2\nserver-name = 'other'\n")
    replaced(process)
    assert process.get("/").headers["server"] == "other"
    assert process.stop() == 0


def test_form_of_the_log_is_applied(server: StartServer, file: Path) -> None:
    process = start(server, file, "workers = 2\n")
    begin = len(process.log())
    file.write_text("workers = 2\nlog-fmt = 'json'\n")
    replaced(process)
    process.wait_for_log(r"(?s)(has stopped.*){2}")
    lines = process.log()[begin:].splitlines()
    former = [line for line in lines if not line.startswith("{")]
    assert all(line.endswith("Stopping") for line in former)  # of the workers that were replaced
    messages = [json.loads(line)["message"] for line in lines if line not in former]
    assert messages[0] == "Replacing the workers"
    begin = len(process.log())
    file.write_text("workers = 2\nverbosity = 0\n")
    replaced(process)
    assert process.stop() == 0
    assert "is ready" not in process.log()[begin:]
