"""The command line: what it accepts, and what it prints."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import types
from pathlib import Path

import pytest
from conftest import StartServer
from server_process import HERE
from waiting import wait_until
from wire import Wire

from cppasgi.serving.loops import loop_factory
from cppasgi.serving.native_loop import NativeLoop


def test_port_0_takes_a_free_port_and_prints_it(server: StartServer) -> None:
    process = server("apps.probe:app")
    assert process.host == "127.0.0.1"
    assert process.port not in (0, 8000)
    assert process.get("/").text == "hello"


def test_start_up_lines_are_daphnes(server: StartServer) -> None:
    process = server("apps.probe:app")
    log = process.log()
    assert "INFO     Starting server at tcp:port=0:interface=127.0.0.1\n" in log
    assert f"INFO     Listening on TCP address 127.0.0.1:{process.port}\n" in log
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO ", log)


def test_bind_alone_takes_port_8000(server: StartServer) -> None:
    with socket.socket() as trial:
        try:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("127.0.0.3", 8000))
        except OSError:
            pytest.skip("port 8000 of 127.0.0.3 is taken on this machine")
    # The port is part of the message even when another process holds it, so ask for the message.
    process = server("apps.probe:app", "-b", "127.0.0.3", "-p", "8000", listen=False)
    process.wait_for_log("Starting server at tcp:port=8000:interface=127.0.0.3")


def test_no_address_is_localhost_port_8000(server_command: list[str]) -> None:
    with socket.socket() as blocker:
        try:
            blocker.bind(("127.0.0.1", 8000))
            blocker.listen()
        except OSError:
            pass  # Taken already: just as good.
        result = subprocess.run(
            [*server_command, "apps.probe:app"],
            cwd=HERE,
            capture_output=True,
            text=True,
            timeout=20,
        )
    assert "Starting server at tcp:port=8000:interface=127.0.0.1" in result.stderr
    assert "Couldn't listen on 127.0.0.1:8000" in result.stderr


def test_ipv6_address_in_brackets(server: StartServer) -> None:
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    process = server("apps.probe:app", "-b", "[::1]", "-p", "0")
    assert process.host == "::1"
    assert process.get("/").text == "hello"
    assert r"Starting server at tcp:port=0:interface=\:\:1" in process.log()


def test_host_name(server: StartServer) -> None:
    assert server("apps.probe:app", "-b", "localhost", "-p", "0").get("/").text == "hello"


def test_dotted_attribute(server: StartServer) -> None:
    assert server("apps.simple:holder.app").get("/").text == "nested"


def test_asgi_2_application(server: StartServer) -> None:
    assert server("apps.simple:Asgi2").get("/path").text == "asgi2 /path"


def test_working_directory_is_importable(server: StartServer) -> None:
    assert server("apps.simple:working_folder").get("/").text == "apps.reports"


def test_unix_socket(server: StartServer, tmp_path: Path) -> None:
    path = tmp_path / "server.sock"
    process = server("apps.probe:app", "-u", str(path))
    assert f"Starting server at unix:{path}" in process.log()
    assert f"Listening on Unix socket {path}" in process.log()
    assert process.get("/").text == "hello"
    assert path.stat().st_mode & 0o777 == 0o666
    assert process.stop() == 0
    assert not path.exists()


def test_unix_socket_and_port_together(server: StartServer, tmp_path: Path) -> None:
    path = str(tmp_path / "server.sock")
    process = server("apps.probe:app", "-u", path, "-p", "0")
    port = process.wait_for_log(r"TCP address 127\.0\.0\.1:(\d+)")[1]
    process.wait_for_log("Listening on Unix socket")
    for address in (path, ("127.0.0.1", int(port))):
        with Wire.open(address) as wire:
            assert wire.get("/").body == b"hello"


def test_stale_unix_socket_is_replaced(server: StartServer, tmp_path: Path) -> None:
    path = tmp_path / "server.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    assert path.exists()
    assert server("apps.probe:app", "-u", str(path)).get("/").text == "hello"


def test_inherited_descriptor(server: StartServer) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        process = server(
            "apps.probe:app", "--fd", str(listener.fileno()), pass_fds=(listener.fileno(),)
        )
        assert f"Starting server at fd:fileno={listener.fileno()}" in process.log()
        assert process.port == listener.getsockname()[1]
        assert process.get("/").text == "hello"


@pytest.mark.parametrize(("flags", "status"), [((), 501), (("--daphne-strict",), 200)])
def test_connect_is_a_request_to_daphne_only(
    server: StartServer, flags: tuple[str, ...], status: int
) -> None:
    """With a path; its own tests choose it by chance."""
    process = server("apps.probe:app", *flags)
    with process.connect() as wire:
        for content in (b"", b"abc"):
            wire.request("/echo", "CONNECT", f"Content-Length: {len(content)}", body=content)
            response = wire.response()
            assert response.status == status
            if status == 501:
                return
            assert response.body == content
        wire.request("site.test:443", "CONNECT")
        assert wire.response().status == 501


def test_root_path(server: StartServer) -> None:
    process = server("apps.probe:app", "--root-path", "/prefix")
    assert "'root_path': '/prefix'" in process.get("/scope").text


def test_server_name(server: StartServer) -> None:
    assert server("apps.probe:app", "-s", "mine").get("/").headers["server"] == "mine"
    assert "server" not in server("apps.probe:app", "--no-server-name").get("/").headers
    assert "server" not in server("apps.probe:app", "-s", "").get("/").headers
    assert server("apps.probe:app").get("/").headers["server"] == "cppasgi"


@pytest.mark.parametrize("name", ["asyncio", "native", "uvloop"])
def test_loop(server: StartServer, name: str) -> None:
    if name == "uvloop":
        pytest.importorskip("uvloop")
    process = server("apps.simple:loop_name", "--loop", name)
    text = process.get("/").text
    assert text.startswith("cppasgi.serving.native_loop." if name == "native" else f"{name}."), text
    assert text.endswith("debug=False")


def test_verbosity_3_puts_the_loop_in_debug_mode(server: StartServer) -> None:
    assert server("apps.simple:loop_name", "-v", "3").get("/").text.endswith("debug=True")


def test_access_log_is_on_standard_output(server: StartServer) -> None:
    process = server("apps.probe:app")
    process.get("/?q=1")
    wait_until(lambda: process.access_log().count("\n") == 1)
    line = process.access_log()
    pattern = r'127\.0\.0\.1:\d+ - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d\] "GET /\?q=1" 200 5\n'
    assert re.fullmatch(pattern, line), line


def test_no_access_log_at_verbosity_0(server: StartServer, tmp_path: Path) -> None:
    path = str(tmp_path / "server.sock")
    process = server("apps.probe:app", "-v", "0", "-u", path, listen=False)
    wait_until(lambda: Path(path).exists())
    process.path = path
    wait_until(lambda: can_connect(path))
    process.get("/")
    assert process.stop() == 0
    assert process.access_log() == ""
    assert process.log() == ""


def test_access_log_at_verbosity_0_on_demand(server: StartServer, tmp_path: Path) -> None:
    path = str(tmp_path / "server.sock")
    process = server("apps.probe:app", "-v", "0", "-u", path, "--access-log", "-", listen=False)
    wait_until(lambda: Path(path).exists() and can_connect(path))
    process.path = path
    process.get("/")
    wait_until(lambda: '"GET /" 200 5' in process.access_log())


def test_an_empty_access_log_is_the_default_as_with_daphne(server: StartServer) -> None:
    process = server("apps.probe:app", "--access-log", "")
    process.get("/")
    wait_until(lambda: '"GET /" 200 5' in process.access_log())


def test_access_log_file_is_appended_to(server: StartServer, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("an older line\n")
    process = server("apps.probe:app", "--access-log", str(log))
    process.get("/")
    wait_until(lambda: log.read_text().count("\n") == 2)
    assert log.read_text().startswith("an older line\n")
    assert '"GET /" 200 5\n' in log.read_text()
    assert process.access_log() == ""


def test_log_format(server: StartServer) -> None:
    process = server("apps.probe:app", "--log-fmt", "%(name)s|%(message)s")
    assert "cppasgi.cli|Starting server at " in process.log()
    assert "cppasgi.server|Listening on " in process.log()


def test_flags_may_be_abbreviated_as_with_daphne(server: StartServer) -> None:
    assert server("apps.probe:app", "--ping-int", "20").get("/").text == "hello"


def test_version(server_command: list[str]) -> None:
    result = subprocess.run(
        [*server_command, "--version"], capture_output=True, text=True, timeout=20
    )
    assert result.returncode == 0
    assert re.fullmatch(r"cppasgi \d+\.\d+\.\d+\S*\n", result.stdout), result.stdout


def test_loop_auto_is_the_native_one(server: StartServer) -> None:
    assert server("apps.simple:loop_name").get("/").text.startswith("cppasgi.serving.native_loop.")


def test_loop_auto_trusts_the_native_one_with_pythons_it_is_tested_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    monkeypatch.setitem(sys.modules, "uvloop", None)
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: "of the policy")
    assert loop_factory("auto")() == "of the policy"
    uvloop = types.SimpleNamespace(new_event_loop=lambda: "uvloop's")
    monkeypatch.setitem(sys.modules, "uvloop", uvloop)
    assert loop_factory("auto")() == "uvloop's"
    loop = loop_factory("native")()
    assert isinstance(loop, NativeLoop)
    loop.close()


def can_connect(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as trial:
        return trial.connect_ex(path) == 0


def test_standard_output_may_be_closed(server_command: list[str], tmp_path: Path) -> None:
    path = str(tmp_path / "server.sock")
    read_end, write_end = os.pipe()
    with subprocess.Popen(
        ["sh", "-c", 'exec "$@" >&-', "sh", *server_command, "-u", path, "apps.probe:app"],
        cwd=HERE,
        stderr=write_end,
    ) as process:
        os.close(write_end)
        try:
            wait_until(lambda: Path(path).exists() and can_connect(path), 20)
            with Wire.open(path) as wire:
                assert wire.get("/").body == b"hello"
        finally:
            process.terminate()
            status = process.wait(10)
            os.close(read_end)  # not before: Python's status is 120 when its log can't be written
            assert status == 0


def test_a_start_does_not_import_what_only_some_flags_need(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "before = set(sys.modules)\n"
        "import cppasgi.command.cli\n"
        "cppasgi.command.cli.CommandLineInterface()._parse(['a:b'])\n"
        "print(*set(sys.modules) - before)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    imported = set(result.stdout.split())
    assert "argparse" in imported
    assert imported.isdisjoint({"email", "http", "json", "logging.config", "pathlib", "tomllib"})
    assert imported.isdisjoint({"asgiref", "concurrent.futures.thread", "ipaddress", "uvloop"})
    assert imported.isdisjoint(
        {"cppasgi.command.migrate", "cppasgi.command.status", "cppasgi.processes.supervisor"}
    )
