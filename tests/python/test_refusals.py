"""What the command refuses: each in one line, with a status of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import StartServer
from server_process import HERE


@pytest.fixture
def refuse(server_command: list[str]):
    """Runs a command line that must fail; returns its status and the lines of standard error."""

    def run(*args: str, cwd: Path = HERE, traceback: bool = False) -> tuple[int, list[str]]:
        result = subprocess.run(
            [*server_command, *args], cwd=cwd, capture_output=True, text=True, timeout=20
        )
        assert ("Traceback" in result.stderr) == traceback, result.stderr
        return result.returncode, result.stderr.splitlines()

    return run


def errors(lines: list[str]) -> list[str]:
    """The lines that are no log lines of level INFO."""
    return [line for line in lines if " INFO " not in line]


def test_live_unix_socket_is_never_replaced(server: StartServer, refuse, tmp_path: Path) -> None:
    path = str(tmp_path / "server.sock")
    first = server("apps.probe:app", "-u", path)
    status, lines = refuse("-u", path, "apps.probe:app")
    assert status == 1
    assert errors(lines) == [
        f"cppasgi: Listen failure: Couldn't listen on {path}: [Errno 98] Address already in use."
    ]
    assert first.get("/").text == "hello"


def test_file_that_is_no_socket_is_never_replaced(refuse, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    status, lines = refuse("-u", str(path), "apps.probe:app")
    assert status == 1
    assert len(errors(lines)) == 1
    assert "not a socket" in errors(lines)[0]
    assert path.read_text() == "data"


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["apps.probe:app", "--no-such-flag"],
        ["apps.probe:app", "-p", "http"],
        ["apps.probe:app", "-p", "65536"],
        ["apps.probe:app", "-p", "-1"],
        ["apps.probe:app", "--lifespan", "maybe"],
        ["apps.probe:app", "--loop", "twisted"],
        ["apps.probe:app", "-v", "4"],
        ["apps.probe:app", "--graceful-timeout", "soon"],
        ["apps.probe:app", "--fd", "one"],
        ["apps.probe:app", "--ws-deflate", "on"],
        ["apps.probe:app", "--ws-deflate-level", "0"],
        ["apps.probe:app", "--ws-deflate-window-bits", "8"],
        ["apps.probe:app", "--ws-deflate-memory-level", "10"],
        ["apps.probe:app", "--ws-deflate-threshold", "0"],
    ],
    ids=" ".join,
)
def test_bad_command_line_is_status_2(refuse, args: list[str]) -> None:
    status, lines = refuse(*args)
    assert status == 2
    assert "cppasgi: error: " in lines[-1]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "no_such_module:app",
            """Could not import module "no_such_module": No module named 'no_such_module'""",
        ),
        (
            "apps.no_such:app",
            """Could not import module "apps.no_such": No module named 'apps.no_such'""",
        ),
        (
            "no_such.inner:app",
            """Could not import module "no_such.inner": No module named 'no_such'""",
        ),
        ("apps.simple:nothing", 'Could not load "apps.simple:nothing": "apps.simple" has no'),
        ("apps.simple:holder.nothing", '"nothing"'),
        ("apps.simple:number", "not callable"),
        ("apps.simple", '"apps.simple" is not of the form module:attribute'),
        ("wsgiref.simple_server:demo_app", "it takes two arguments, as those of WSGI do"),
        ("apps.hello_wsgi:django", "it takes two arguments, as those of WSGI do"),
    ],
)
def test_application_that_cannot_be_loaded_is_one_line(refuse, target: str, message: str) -> None:
    status, lines = refuse("-p", "0", target)
    assert status == 1
    assert len(lines) == 1, lines
    assert message in lines[0]


def test_syntax_error_is_one_line_with_its_place(refuse, tmp_path: Path) -> None:
    (tmp_path / "ungrammatical.py").write_text("app = (\n")
    status, lines = refuse("-p", "0", "ungrammatical:app", cwd=tmp_path)
    assert status == 1
    assert len(lines) == 1, lines
    assert "SyntaxError" in lines[0]
    assert "ungrammatical.py, line 1" in lines[0]


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("apps.missing_inner", "ModuleNotFoundError: No module named 'no_such_inner_module'"),
        ("apps.raises_at_import", "RuntimeError: settings are not configured"),
        ("apps.exits_at_import", "SystemExit: 0"),
    ],
)
@pytest.mark.parametrize("verbosity", ["0", "2"])
def test_failing_import_has_its_traceback_from_the_applications_frame_on(
    refuse, target: str, error: str, verbosity: str
) -> None:
    status, lines = refuse("-p", "0", "-v", verbosity, f"{target}:app", traceback=True)
    assert status == 1
    begin = lines.index("Traceback (most recent call last):")
    assert f"ERROR    Import of {target} failed" in lines[begin - 1]
    file = f"{target.replace('.', '/')}.py"
    assert re.search(rf'{re.escape(file)}", line \d, in <module>$', lines[begin + 1])
    last = lines[-1]
    assert last.startswith(f'cppasgi: Could not import module "{target}": {error} (')
    assert re.search(rf"{re.escape(file)}, line \d\)$", last)


def test_failing_import_is_one_line_where_logs_are_json(refuse) -> None:
    flags = ("-p", "0", "--log-fmt", "json")
    _, lines = refuse(*flags, "apps.raises_at_import:app", traceback=True)
    line = next(line for line in map(json.loads, lines[:-1]) if line["level"] == "ERROR")
    assert line["message"] == "Import of apps.raises_at_import failed"
    assert 'raises_at_import.py", line 1, in <module>' in line["exception"].splitlines()[1]


def test_taken_port_is_one_line(server: StartServer, refuse) -> None:
    port = server("apps.probe:app").port
    status, lines = refuse("-p", str(port), "apps.probe:app")
    assert status == 1
    assert errors(lines) == [
        f"cppasgi: Listen failure: Couldn't listen on 127.0.0.1:{port}: "
        "[Errno 98] Address already in use."
    ]


def test_unknown_host_is_one_line(refuse) -> None:
    status, lines = refuse("-b", "no-such-host.invalid", "-p", "0", "apps.probe:app")
    assert status == 1
    assert len(errors(lines)) == 1, lines
    assert "Listen failure: Couldn't listen on no-such-host.invalid:0: " in errors(lines)[0]


def test_address_of_another_machine_is_one_line(refuse) -> None:
    status, lines = refuse("-b", "192.0.2.1", "-p", "0", "apps.probe:app")
    assert status == 1
    assert "Couldn't listen on 192.0.2.1:0: [Errno 99]" in errors(lines)[0]


def test_descriptor_that_is_no_socket_is_one_line(refuse) -> None:
    status, lines = refuse("--fd", "0", "apps.probe:app")
    assert status == 1
    assert len(errors(lines)) == 1, lines
    assert "Couldn't listen on file descriptor 0: " in errors(lines)[0]


def test_unwritable_access_log_is_one_line(refuse, tmp_path: Path) -> None:
    path = str(tmp_path / "missing" / "access.log")
    status, lines = refuse("-p", "0", "--access-log", path, "apps.probe:app")
    assert status == 1
    assert errors(lines) == [
        f"cppasgi: Can't open the access log {path}: No such file or directory"
    ]


def test_missing_uvloop_is_one_line(refuse, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "uvloop.py").write_text("raise ImportError('No module named uvloop')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    status, lines = refuse("-p", "0", "--loop", "uvloop", "apps.probe:app")
    assert status == 1
    assert errors(lines) == ["cppasgi: The loop uvloop is not available: No module named uvloop"]


def test_failure_is_said_even_if_the_application_silenced_logging(refuse) -> None:
    status, lines = refuse("-b", "192.0.2.1", "-p", "0", "apps.silences_logging:app")
    assert status == 1
    assert "Listen failure" in lines[-1]


def test_interrupt_while_the_application_loads(server_command: list[str], tmp_path: Path) -> None:
    (tmp_path / "slow_import.py").write_text(
        "import sys, time\n"
        "print('loading', file=sys.stderr, flush=True)\n"
        # Short sleeps: a signal that comes just before a sleep begins is handled after it.
        "for _ in range(300):\n    time.sleep(0.1)\n"
    )
    with subprocess.Popen(
        [*server_command, "slow_import:app"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "loading\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert "Traceback" not in process.stderr.read()
