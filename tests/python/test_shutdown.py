"""Signals: draining, deadlines, and what an end by force looks like."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from conftest import StartServer
from server_process import HERE, ServerProcess
from wire import CLOSE, TEXT, Wire


def refuses_connections(process: ServerProcess) -> bool:
    with socket.socket() as client:
        client.settimeout(2)
        return client.connect_ex((process.host, process.port)) != 0


def wait_for_refusal(process: ServerProcess) -> None:
    end = time.monotonic() + 5
    while not refuses_connections(process):
        assert time.monotonic() < end, "still accepts connections"
        time.sleep(0.02)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("loop", ["asyncio", "auto"])
def test_idle_server_stops_at_once_with_status_0(
    server: StartServer, signum: signal.Signals, loop: str
) -> None:
    process = server("apps.probe:app", "--loop", loop)
    process.get("/")
    begun = time.monotonic()
    assert process.stop(signum) == 0
    assert time.monotonic() - begun < 2
    assert process.log().splitlines()[-1].endswith("Stopping")


def test_response_in_flight_is_finished(server: StartServer) -> None:
    process = server("apps.probe:app")
    with process.connect() as begun, process.connect() as waiting:
        begun.request("/started-then-sleep/1")
        head = begun.head()
        waiting.request("/sleep/1")
        time.sleep(0.2)
        process.send_signal()
        wait_for_refusal(process)
        assert process.is_running()
        assert head.header("transfer-encoding") == "chunked"
        assert begun.chunk() + begun.chunk() + begun.chunk() == b"begin end"
        assert begun.is_closed()
        response = waiting.response()
        assert response.body == b"slept"
        assert response.header("connection") == "close"
        assert waiting.is_closed()
    assert process.wait() == 0


def test_upload_in_flight_is_finished(server: StartServer) -> None:
    process = server("apps.probe:app")
    with process.connect() as wire:
        wire.request("/digest", "POST", "Content-Length: 10", body=b"12345")
        time.sleep(0.2)
        process.send_signal()
        wait_for_refusal(process)
        wire.send(b"67890")
        assert b'"size": 10' in wire.response().body
    assert process.wait() == 0


def test_work_after_the_response_is_finished(server: StartServer) -> None:
    process = server("apps.lifespans:good")
    with process.connect() as wire:
        wire.request("/slow")
        time.sleep(0.2)
        process.send_signal()
        assert wire.response().status == 200
    assert process.wait() == 0
    assert "cancelled" not in process.log()
    assert process.log().index("request /slow") < process.log().index("shutdown begun")


def test_idle_keep_alive_connection_is_closed(server: StartServer) -> None:
    process = server("apps.probe:app")
    with process.connect() as wire:
        assert wire.get("/").status == 200
        process.send_signal()
        assert wire.is_closed(2)
    assert process.wait() == 0


def test_connection_without_a_request_does_not_hold_the_server(server: StartServer) -> None:
    process = server("apps.probe:app", "--graceful-timeout", "3")
    with process.connect() as silent, process.connect() as begun:
        begun.send("GET / HTTP/1.1\r\nHo")
        time.sleep(0.2)
        begin = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - begin < 5
        assert silent.is_closed()


def test_websocket_is_closed_with_1001(server: StartServer) -> None:
    process = server("apps.probe:app")
    with process.connect() as wire:
        assert wire.upgrade("/echo/key").status == 101
        wire.send_frame(TEXT, "hello")
        assert wire.read_frame() == (TEXT, b"hello")
        process.send_signal()
        opcode, payload = wire.read_frame()
        assert (opcode, payload[:2]) == (CLOSE, (1001).to_bytes(2, "big"))
        wire.send_frame(CLOSE, payload)
        assert wire.is_closed()
    assert process.wait() == 0


def test_application_that_sleeps_is_cancelled_at_the_deadline(server: StartServer) -> None:
    process = server("apps.stuck:app", "--graceful-timeout", "1")
    with process.connect() as wire:
        wire.request("/sleep")
        process.wait_for_log("begun /sleep")
        begun = time.monotonic()
        assert process.stop() == 0
        assert 1.4 < time.monotonic() - begun < 4
    assert "app: cancelled" in process.log()
    assert "Killed 1 pending application instances" in process.log()
    assert "Traceback" not in process.log()


def test_graceful_timeout_0_cancels_at_once(server: StartServer) -> None:
    process = server("apps.stuck:app", "--graceful-timeout", "0")
    with process.connect() as wire:
        wire.request("/sleep")
        process.wait_for_log("begun /sleep")
        begun = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - begun < 2


def test_application_that_survives_its_cancellation_is_left_behind(server: StartServer) -> None:
    process = server("apps.stuck:app", "--graceful-timeout", "0.5")
    with process.connect() as wire:
        wire.request("/stubborn")
        process.wait_for_log("begun /stubborn")
        begun = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - begun < 5
    assert "cancelled, and stays" in process.log()


@pytest.mark.parametrize(
    ("kind", "loop"),
    [
        ("blocked-loop", "asyncio"),
        ("busy-loop", "auto"),
        ("sync-thread", "auto"),
        ("executor", "auto"),
    ],
)
def test_deadline_wins_over_what_cannot_be_cancelled(
    server: StartServer, kind: str, loop: str
) -> None:
    process = server("apps.stuck:app", "--graceful-timeout", "0.5", "--loop", loop)
    with process.connect() as wire:
        wire.request(f"/{kind}")
        process.wait_for_log(f"begun /{kind}")
        time.sleep(0.1)
        begun = time.monotonic()
        assert process.stop() == 1
        assert 2.4 < time.monotonic() - begun < 4.5
    assert "not stopped in time" in process.log()
    assert re.search("apps/stuck.py|concurrent/futures/thread.py", process.log())  # what was stuck


def test_thread_that_an_application_left_does_not_hold_the_process(server: StartServer) -> None:
    process = server("apps.stuck:app", "--graceful-timeout", "0.5")
    assert process.get("/left-thread").text == "left"
    begun = time.monotonic()
    assert process.stop() == 1
    assert time.monotonic() - begun < 5
    assert "Killed" not in process.log()


@pytest.mark.parametrize(
    ("kind", "second"),
    [
        ("sleep", signal.SIGTERM),
        ("sleep", signal.SIGINT),
        ("busy-loop", signal.SIGINT),
        ("blocked-loop", signal.SIGTERM),
        ("sync-thread", signal.SIGINT),
    ],
)
def test_second_signal_that_insists_stops_at_once(
    server: StartServer, kind: str, second: signal.Signals, tmp_path
) -> None:
    path = tmp_path / "server.sock"
    process = server("apps.stuck:app", "-u", str(path))
    with process.connect() as wire:
        wire.request(f"/{kind}")
        process.wait_for_log(f"begun /{kind}")
        process.send_signal(signal.SIGTERM)
        time.sleep(1.1 if second == signal.SIGTERM else 0.3)
        assert process.is_running()
        begun = time.monotonic()
        assert process.stop(second) == 128 + second
        assert time.monotonic() - begun < 1
    assert not path.exists()


def test_ignored_sigint_stays_ignored(server_command: list[str], tmp_path: Path) -> None:
    # As a shell without job control starts a background job.
    log = subprocess.run(
        [
            "sh",
            "-c",
            'trap "" INT; log=$1; shift; "$@" >$log 2>&1 & pid=$!; '
            'until grep -q "Listening on" $log; do sleep 0.1; done; kill -INT $pid; sleep 0.5; '
            "kill -0 $pid && echo still running; kill -TERM $pid; wait $pid; echo status $?",
            "sh",
            str(tmp_path / "log"),
            *server_command,
            "-p",
            "0",
            "apps.probe:app",
        ],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=30,
    ).stdout
    assert "still running\n" in log
    assert "status 0\n" in log


def test_keyboard_interrupt_in_the_application_stops_the_server(server: StartServer) -> None:
    process = server("apps.lifespans:exiting", "--graceful-timeout", "2")
    with process.connect() as wire:
        wire.request("/keyboard")
        assert process.wait() == 0
    assert "Stopping" in process.log()


def test_system_exit_in_the_application_is_the_exit_status(server: StartServer) -> None:
    process = server("apps.lifespans:exiting", "--graceful-timeout", "2")
    with process.connect() as wire:
        wire.request("/exit")
        assert process.wait() == 7


def test_system_exit_of_an_application_that_was_woken_too(server: StartServer) -> None:
    process = server("apps.lifespans:exiting", "--graceful-timeout", "2")
    with process.connect() as wire:
        wire.send(b"POST /later HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n")
        time.sleep(0.2)
        wire.send(b"hello")
        assert process.wait() == 7


def test_many_connections_are_drained(server: StartServer) -> None:
    process = server("apps.probe:app")
    wires: list[Wire] = [process.connect() for _ in range(50)]
    try:
        for wire in wires[:25]:
            wire.request("/sleep/0.5")
        for wire in wires[25:]:
            assert wire.upgrade("/echo/key").status == 101
        time.sleep(0.2)
        process.send_signal()
        for wire in wires[:25]:
            assert wire.response().body == b"slept"
        for wire in wires[25:]:
            assert wire.read_close() == 1001
            wire.send_frame(CLOSE, (1001).to_bytes(2, "big"))
        assert process.wait() == 0
    finally:
        for wire in wires:
            wire.close()
    assert "Killed" not in process.log()
