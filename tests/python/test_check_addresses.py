"""``--check``: addresses, libraries and descriptors that a start would need."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import StartServer
from ports import free_port
from server_process import HERE

from cppasgi.command.preflight_addresses import Finding, address_findings

pytestmark = pytest.mark.python_side

Check = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def check(server_command: list[str]) -> Check:
    """Runs --check; returns its status and the lines before the last."""

    def run(*args: str, pass_fds: tuple[int, ...] = (), **env: str) -> tuple[int, list[str]]:
        result = subprocess.run(
            [*server_command, "--check", *args, "apps.probe:app"],
            cwd=HERE,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=50,
            pass_fds=pass_fds,
        )
        assert "Traceback" not in result.stderr, result.stderr
        *lines, last = result.stderr.splitlines()
        assert last.endswith("failed" if result.returncode else "passed")
        return result.returncode, [line.removeprefix("cppasgi: ") for line in lines]

    return run


# --- TCP ---


@pytest.mark.parametrize("workers", ["1", "2"])
def test_address_of_the_running_server_is_a_warning(
    server: StartServer, check: Check, workers: str
) -> None:
    process = server("apps.probe:app", "--workers", workers)
    status, lines = check("-p", str(process.port), "--workers", workers)
    assert status == 0
    address = f"127.0.0.1:{process.port}"
    (line,) = lines
    assert line.startswith(f"warning: {address} is in use: process ")
    holder = int(line.split("process ")[1].split()[0])
    children = Path(f"/proc/{process.process.pid}/task/{process.process.pid}/children")
    assert holder in (process.process.pid, *map(int, children.read_text().split()))
    assert process.get("/").text == "hello"


def test_address_that_nobody_can_have_is_a_problem(check: Check) -> None:
    status, lines = check(
        *("-e", "tcp:1:interface=no-such-host.invalid", "-e", "tcp:1:interface=192.0.2.7")
    )
    assert status == 1
    assert lines[0].startswith("problem: Couldn't listen on 192.0.2.7:1: [Errno 99] Cannot assign")
    assert lines[1].startswith("problem: Couldn't listen on no-such-host.invalid:1: ")
    assert len(lines) == 2


def test_address_that_is_given_twice(check: Check) -> None:
    port = free_port()
    twice = ("-e", f"tcp:{port}:interface=127.0.0.1", "-e", f"tcp:{port}")
    text = f": 127.0.0.1:{port} is to be listened on twice"
    assert check(*twice) == (1, ["problem" + text])
    assert check(*twice, "--workers", "2") == (0, ["warning" + text])
    with_metrics = ("-e", f"tcp:{port}", "--metrics", f"127.0.0.1:{port}")
    assert check(*with_metrics) == (1, ["problem" + text])


def test_addresses_that_differ() -> None:
    port = free_port()
    different = [f"tcp:{port}:interface=127.0.0.1", f"tcp:{port}:interface=127.0.0.2"]
    found = list(address_findings([*different, "tcp:0", "tcp:0"], None, shared=False))
    assert found == []


def test_nothing_is_listened_on() -> None:
    """A socket that lies in wait for a client would make its first connection a reset."""
    port = free_port()
    code = (
        "import socket, sys\n"
        "listen = socket.socket.listen\n"
        "socket.socket.listen = lambda *args: sys.exit('listens')\n"
        "from cppasgi.command.preflight_addresses import address_findings\n"
        f"print(list(address_findings(['tcp:{port}'], None, shared=True)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30
    )
    assert (result.stdout, result.stderr) == ("[]\n", "")


def findings_of_nobody(endpoint: str) -> str:
    """What --check finds of an address, asked by a user who may next to nothing."""
    code = (
        "import os\n"
        "from cppasgi.command.preflight_addresses import address_findings\n"
        "os.setgid(65534); os.setuid(65534)\n"
        f"print(*address_findings([{endpoint!r}], None, shared=True))\n"
    )
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_port_that_only_root_may_have() -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) == 0:
        pytest.skip("here everybody may")
    found = findings_of_nobody("tcp:1:interface=127.0.0.1")
    assert "Couldn't listen on 127.0.0.1:1: [Errno 13] Permission denied" in found
    assert "is_warning=False" in found


# --- Unix sockets and descriptors ---


def finding(description: str) -> Finding | None:
    found = list(address_findings([description], None, shared=False))
    assert len(found) <= 1
    return found[0] if found else None


def test_unix_socket_of_the_running_server_is_a_warning(
    server: StartServer, check: Check, tmp_path: Path
) -> None:
    path = tmp_path / "site.sock"
    process = server("apps.probe:app", "-u", str(path))
    status, (line,) = check("-u", str(path))
    assert status == 0
    assert line.startswith(f"warning: {path} is in use: process {process.process.pid} (")
    assert process.get("/").text == "hello"
    assert path.exists()


def test_unix_socket_that_can_be_had_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "site.sock"
    assert finding(f"unix:{path}") is None
    assert not path.exists()


@pytest.mark.parametrize("metrics", [False, True])
def test_unix_socket_that_can_not_be_had(metrics: bool, check: Check, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("precious")
    long = tmp_path / ("a" * 108)
    for path, reason in (
        (tmp_path / "missing" / "site.sock", "[Errno 2] No such folder"),
        (file, "[Errno 17] File exists and is not a socket"),
        (file / "site.sock", "[Errno 20] Not a directory"),
        (long, "[Errno 36] More than 107 bytes"),
    ):
        flags = ("--metrics", f"unix:{path}", "-p", "0") if metrics else ("-u", str(path))
        assert check(*flags) == (1, [f"problem: Couldn't listen on {path}: {reason}"])
    assert file.read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_unix_socket_in_a_folder_of_somebody_else(tmp_path: Path) -> None:
    found = findings_of_nobody("unix:/usr/site.sock")
    assert "Couldn't listen on /usr/site.sock: [Errno 13] Permission denied" in found


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("spelling", ["site.sock", "./site.sock", "link/site.sock"])
def test_unix_socket_that_is_given_twice(
    check: Check, tmp_path: Path, workers: str, spelling: str
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    other = f"{tmp_path}/{spelling}"
    flags = ("-u", str(tmp_path / "site.sock"), "-e", f"unix:{other}:mode=660")
    status, lines = check(*flags, "--workers", workers)
    assert status == 1
    (line,) = lines
    assert line in [
        f"problem: {path} is to be listened on twice" for path in (tmp_path / "site.sock", other)
    ]


def test_descriptors(check: Check, tmp_path: Path) -> None:
    """Who isn't given them may be what is run before the service, which is."""
    with socket.socket() as listener, (tmp_path / "file").open("w") as file:
        listener.bind(("127.0.0.1", 0))
        for given, status, line in (
            (listener, 0, None),
            (None, 0, "warning: Couldn't listen on file descriptor {}: [Errno 9] Bad file"),
            (
                file,
                1,
                "problem: Couldn't listen on file descriptor {}: [Errno 88] Socket operation",
            ),
        ):
            number = 99 if given is None else given.fileno()
            passed = () if given is None else (number,)
            found, lines = check("--fd", str(number), pass_fds=passed)
            assert found == status
            assert len(lines) == (line is not None), lines
            assert not lines or lines[0].startswith(str(line).format(number))


def test_sockets_of_systemd(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LISTEN_PID", raising=False)
    assert check("-e", "systemd:name=web") == (0, [])
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "0")
    text = "Couldn't listen on systemd socket web: not among the 0 sockets that systemd passed"
    assert finding("systemd:name=web") == Finding(text)


# --- libraries, files, descriptors ---


@pytest.mark.parametrize(
    ("flags", "library", "text"),
    [
        (("--loop", "uvloop"), "uvloop", "The loop uvloop is not available: "),
        (("--reload",), "watchfiles", "--reload needs watchfiles (cppasgi[reload]): "),
        (
            ("--metrics", "127.0.0.1:0"),
            "prometheus_client",
            "metrics need the library prometheus-client: pip install 'cppasgi[metrics]'",
        ),
    ],
)
def test_library_that_a_flag_needs(
    flags: tuple[str, ...], library: str, text: str, check: Check, tmp_path: Path
) -> None:
    (tmp_path / f"{library}.py").write_text("raise ImportError('it is not here')\n")
    status, lines = check("-p", "0", *flags, PYTHONPATH=str(tmp_path))
    assert status == 1
    assert len(lines) == 1
    assert lines[0].startswith(f"problem: {text}")


@pytest.mark.parametrize(
    ("path", "reason"),
    [("missing/access.log", "there is no folder {}/missing"), ("", "it is a folder")],
)
def test_access_log(path: str, reason: str, check: Check, tmp_path: Path) -> None:
    log = tmp_path / path
    line = f"problem: The access log {log} can't be written: {reason.format(tmp_path)}"
    assert check("-p", "0", "--access-log", str(log)) == (1, [line])


def test_files_of_a_log_config(server_command: list[str], tmp_path: Path) -> None:
    log = tmp_path / "missing" / "site.log"
    handler = {"class": "logging.FileHandler", "filename": str(log)}
    config = tmp_path / "log.json"
    config.write_text(json.dumps({"handlers": {"file": handler}, "root": {"handlers": ["file"]}}))
    result = subprocess.run(
        [*server_command, "--check", "--log-config", str(config), "apps.probe:app"],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == 2
    line = f"cppasgi: error: {config}: [Errno 2] No such file or directory: '{log}'\n"
    assert result.stderr == line


def test_more_connections_than_files(check: Check) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = resource.prlimit(0, resource.RLIMIT_NOFILE, (1024, hard))
    try:
        assert check("-p", "0") == (0, [])
        assert check("-p", "0", "--limit-concurrency", "896") == (0, [])
        status, (line,) = check("-p", "0", "--limit-concurrency", "897")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert status == 0
    assert line.startswith(
        "warning: At most 896 connections, not 897, as a process may open 1024 files"
    )


def test_metrics_at_an_address_of_the_site_is_one_line(server_command: list[str]) -> None:
    port = free_port()
    flags = ("-p", str(port), "--metrics", f"127.0.0.1:{port}", "--workers", "2")
    result = subprocess.run(
        [*server_command, *flags, "apps.probe:app"],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=30,
    )
    lines = [line for line in result.stderr.splitlines() if " INFO " not in line]
    text = f"cppasgi: Listen failure: Couldn't listen on 127.0.0.1:{port}: [Errno 98]"
    assert (result.returncode, len(lines)) == (1, 1), result.stderr
    assert lines[0].startswith(text)
