"""Every limit of a connection, set low by its flag: the answer at it, and nothing below it."""

from __future__ import annotations

import resource
import subprocess
import time
from contextlib import ExitStack

import pytest
from conftest import StartServer
from server_process import ServerProcess
from waiting import wait_until
from wire import Wire

APP = "apps.slow_clients:app"


def ask(process: ServerProcess, target: str = "/", *headers: str) -> int:
    """The status that a request gets on a connection of its own."""
    with process.connect() as wire:
        return wire.get(target, *headers).status


# --- sizes and numbers of a request ---


def test_request_line(server: StartServer) -> None:
    process = server(APP, "--limit-request-line", "20")
    assert ask(process, "/" + "x" * 19) == 200
    assert ask(process, "/" + "x" * 20) == 414


def test_request_header(server: StartServer) -> None:
    process = server(APP, "--limit-request-header", "100")
    assert ask(process, "/", "x: " + "y" * 60) == 200
    assert ask(process, "/", "x: " + "y" * 90) == 431


def test_request_fields(server: StartServer) -> None:
    process = server(APP, "--limit-request-fields", "3")
    assert ask(process, "/", "a: 1", "b: 2") == 200
    assert ask(process, "/", "a: 1", "b: 2", "c: 3") == 431


def test_request_body(server: StartServer) -> None:
    process = server(APP, "--limit-request-body", "1000")
    with process.connect() as wire:
        wire.request("/upload/fits", "POST", "Content-Length: 1000", body=b"x" * 1000)
        assert wire.response().body == b"thanks"
        wire.request("/upload/long", "POST", "Content-Length: 1001")
        assert wire.response().status == 413
    assert process.get("/report/long").status_code == 404  # it was never started
    with process.connect() as wire:
        wire.request("/upload/chunked", "POST", "Transfer-Encoding: chunked")
        wire.send(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        assert wire.is_quiet()
        wire.send(b"1\r\n")
        assert wire.response().status == 413
    assert process.report("chunked") == "disconnected"


def test_no_limit_of_the_body_by_default(server: StartServer) -> None:
    process = server(APP)
    with process.connect() as wire:
        wire.request("/upload/big", "POST", "Content-Length: 4000000", body=b"x" * 4_000_000)
        assert wire.response().body == b"thanks"


# --- times of the client ---


def test_time_of_the_header(server: StartServer) -> None:
    process = server(APP, "--timeout-request-header", "0.5")
    with process.connect() as wire, process.connect() as silent:
        wire.send(b"GET / HTTP/1.1\r\nHo")
        assert wire.response().status == 408
        assert wire.is_closed()
        assert silent.is_closed()


def test_time_of_the_body(server: StartServer) -> None:
    process = server(APP, "--timeout-request-body", "0.5")
    with process.connect() as wire:
        wire.request("/upload/stops", "POST", "Content-Length: 10", body=b"part")
        assert wire.response().status == 408
        assert wire.is_closed()
    assert process.report("stops") == "disconnected"
    with process.connect() as wire:
        wire.request("/upload/eager", "POST", "Content-Length: 10", body=b"part")
        assert wire.read_to_end().endswith(b"\r\n4\r\npart\r\n")  # cut inside the response
    assert process.report("eager") == "disconnected"


def test_time_of_the_body_is_between_its_pieces(server: StartServer) -> None:
    process = server(APP, "--timeout-request-body", "1")
    with process.connect() as wire:
        wire.request("/upload/slow", "POST", "Content-Length: 8")
        for _ in range(8):
            time.sleep(0.3)
            wire.send(b"x")
        assert wire.response().body == b"thanks"


def test_time_between_requests(server: StartServer) -> None:
    process = server(APP, "--timeout-keep-alive", "0.5")
    with process.connect() as wire:
        assert wire.get("/").status == 200
        assert wire.is_quiet(0.2)
        assert wire.is_closed(3)


def test_clients_that_do_not_read(server: StartServer) -> None:
    process = server(APP, "--timeout-send", "0.5")
    with Wire.open((process.host, process.port), receive_buffer=4096) as wire:
        wire.request("/download/unread")
        assert process.report("unread") == "ClientDisconnected"
        with pytest.raises(EOFError):
            wire.response()


# --- numbers of requests and connections ---


def test_requests_of_a_connection(server: StartServer) -> None:
    process = server(APP, "--limit-keep-alive-requests", "3")
    with process.connect() as wire:
        assert wire.get("/").header("connection") is None
        assert wire.get("/").header("connection") is None
        assert wire.get("/").header("connection") == "close"
        assert wire.is_closed()


def test_connections(server: StartServer) -> None:
    process = server(APP, "--limit-concurrency", "3")
    with ExitStack() as stack:
        wires = [stack.enter_context(process.connect()) for _ in range(3)]
        assert [wire.get("/").status for wire in wires] == [200] * 3
        for _ in range(2):
            with process.connect() as refused:
                refused.request("/hang/refused")
                response = refused.response()
                assert (response.status, response.body) == (503, b"Too many connections")
                assert response.header("connection") == "close"
                assert refused.is_closed()
        assert [wire.get("/").status for wire in wires] == [200] * 3
    end = time.monotonic() + 5
    while ask(process) != 200:
        assert time.monotonic() < end
    assert process.get("/report/refused").status_code == 404  # it was never started
    assert process.log().count("too many connections") == 1


def test_connections_far_beyond_the_limit_are_closed(server: StartServer) -> None:
    process = server(APP, "--limit-concurrency", "1")
    with ExitStack() as stack:
        wires = [stack.enter_context(process.connect()) for _ in range(200)]
        answers = [wire.read_to_end()[9:12] for wire in wires[1:]]
        assert answers.count(b"503") >= 64
        assert set(answers) <= {b"503", b""}
        assert wires[0].get("/").status == 200


def test_connections_leave_some_files_to_others(server: StartServer) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        process = server(APP)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    lines = [line for line in process.log().splitlines() if "connections" in line]
    assert len(lines) == 1
    assert lines[0].endswith("At most 384 connections, as the process may open 512 files")


# --- the application's time ---


def test_time_to_the_start_of_a_response(server: StartServer) -> None:
    process = server(APP, "-t", "0.5")
    with process.connect() as wire:
        wire.request("/hang/late")
        response = wire.response()
        assert response.status == 503
        assert response.body == b"Application failed to respond within time limit."
        assert wire.is_closed()
    assert process.report("late") == "disconnected"
    wait_until(lambda: '"GET /hang/late" 503 48' in process.access_log())


def test_no_limit_of_the_time_to_a_response_by_default(server: StartServer) -> None:
    process = server(APP, "--timeout-request-body", "0.3", "--timeout-send", "0.3")
    with process.connect() as wire:
        wire.request("/hang/patient")
        assert wire.is_quiet(1.5)


# --- values ---


@pytest.mark.parametrize(
    "args",
    [
        ["--limit-request-line", "0"],
        ["--limit-request-header", "64K"],
        ["--limit-request-fields", "-1"],
        ["--limit-request-body", "-1"],
        ["--limit-keep-alive-requests", "1.5"],
        ["--limit-concurrency", "99999999999"],
        ["--timeout-request-header", "soon"],
        ["--timeout-request-body", "-1"],
        ["--timeout-keep-alive", "nan"],
        ["-t", "-3"],
    ],
    ids=" ".join,
)
def test_bad_values_are_refused(server_command: list[str], args: list[str]) -> None:
    result = subprocess.run(
        [*server_command, *args, "apps.simple:app"], capture_output=True, text=True, timeout=20
    )
    assert result.returncode == 2
    assert "cppasgi: error: argument " in result.stderr.splitlines()[-1]
    assert args[1] in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
