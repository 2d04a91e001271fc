"""The server log: formats, Python's own configuration, repeats, and files that move away."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from conftest import StartServer
from waiting import wait_until

pytestmark = pytest.mark.python_side

CONFIG = """
{version}
[handlers.file]
class = "logging.FileHandler"
filename = "{path}"
formatter = "short"
[formatters.short]
format = "%(levelname)s|%(name)s|%(message)s"
[root]
level = "INFO"
handlers = ["file"]
"""


def test_json_lines(server: StartServer) -> None:
    process = server("apps.probe:app", "--log-fmt", "json", listen=False)
    process.wait_for_log('"message": "Listening on TCP address')
    assert process.stop() == 0
    lines = [json.loads(line) for line in process.log().splitlines()]
    assert {line["logger"] for line in lines} <= {"cppasgi.cli", "cppasgi.server"}
    assert all(line["process"] == process.process.pid for line in lines)
    assert lines[0]["level"] == "INFO"
    assert lines[0]["time"].endswith("+00:00")


def test_json_lines_keep_tracebacks_in_one_line(server: StartServer) -> None:
    process = server("apps.probe:app", "--log-fmt", "json", listen=False)
    found = process.wait_for_log(r'address 127.0.0.1:(\d+)"')
    process.host, process.port = "127.0.0.1", int(found[1])
    assert process.get("/raise-before").status_code == 500
    line = next(json.loads(x) for x in process.log().splitlines() if "Exception inside" in x)
    assert line["exception"].startswith("Traceback (most recent call last)")


@pytest.mark.parametrize("version", ["version = 1", "disable_existing_loggers = false"])
def test_log_config_and_reopening(server: StartServer, tmp_path: Path, version: str) -> None:
    log = tmp_path / "server.log"
    config = tmp_path / "logging.toml"
    config.write_text(CONFIG.format(path=log, version=version))
    process = server("apps.probe:app", "--log-config", str(config), listen=False)
    wait_until(lambda: log.exists() and "INFO|cppasgi.server|Listening on" in log.read_text())
    assert process.log() == ""
    log.rename(tmp_path / "old.log")
    process.send_signal(signal.SIGUSR1)
    process.send_signal(signal.SIGUSR2)
    wait_until(lambda: log.exists() and "0 connections" in log.read_text())
    assert process.stop() == 0


def test_broken_log_config_does_not_keep_workers_from_being_replaced(
    server: StartServer, tmp_path: Path
) -> None:
    log = tmp_path / "server.log"
    config = tmp_path / "logging.toml"
    config.write_text(CONFIG.format(path=log, version=""))
    process = server(
        "apps.working:app", "--workers", "2", "--log-config", str(config), listen=False
    )
    wait_until(lambda: log.exists() and "Listening on" in log.read_text())
    config.write_text("broken")
    process.send_signal(signal.SIGHUP)
    wait_until(lambda: "Worker 1 stays" in log.read_text())
    assert "ERROR|cppasgi.supervisor|Logging stays as it is" in log.read_text()
    config.write_text(CONFIG.format(path=log, version=""))
    process.send_signal(signal.SIGHUP)
    wait_until(lambda: log.read_text().count("has stopped") == 2, 10)
    assert process.stop() == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("log.json", "{"),
        ("log.json", "[]"),
        ("log.toml", "a ="),
        ("log.json", '{"version": 2}'),
        ("log.json", '{"handlers": {"x": {"class": "no.Such"}}}'),
        ("log.yaml", "a: ["),
    ],
)
def test_bad_log_config_is_one_line_and_status_2(
    server: StartServer, tmp_path: Path, name: str, text: str
) -> None:
    config = tmp_path / name
    config.write_text(text)
    process = server("apps.probe:app", "--log-config", str(config), listen=False)
    assert process.wait() == 2
    assert process.log().startswith(f"cppasgi: error: {config}: ")
    assert process.log().count("\n") == 1
