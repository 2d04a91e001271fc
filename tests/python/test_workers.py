"""Several worker processes: starting, sharing the load, dying, being counted, and stopping."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from datetime import datetime
from pathlib import Path

import pytest
from conftest import StartServer
from processes import descriptors_of, is_alive, workers_of
from server_process import ServerProcess
from waiting import wait_until
from wire import TEXT, Wire

APP = "apps.working:app"


def has_open(pid: int, path: Path) -> bool:
    """Whether a descriptor of the process is this file, under the name that it has now."""
    try:
        return path in [fd.readlink() for fd in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:  # one was closed meanwhile
        return False


def answering(process: ServerProcess, tries: int = 40) -> set[int]:
    """The processes that answer new connections."""
    return {int(process.get("/").text) for _ in range(tries)}


@pytest.fixture
def two(server: StartServer) -> ServerProcess:
    return server(APP, "--workers", "2")


def test_every_worker_answers(two: ServerProcess) -> None:
    assert answering(two) == set(workers_of(two))
    assert two.stop() == 0
    assert two.log().count("has stopped") == 2
    assert two.log().count("Listening on") == 1


@pytest.mark.parametrize("loop", ["asyncio", "native", "uvloop"])
def test_workers_share_a_unix_socket(server: StartServer, tmp_path: Path, loop: str) -> None:
    path = tmp_path / "server.sock"
    process = server(APP, "--workers", "2", "-u", str(path), "--loop", loop)
    assert process.get("/").status_code == 200
    assert process.stop() == 0
    assert not path.exists()


def test_workers_share_a_descriptor(server: StartServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        fileno = bound.fileno()
        process = server(APP, "--workers", "2", "--fd", str(fileno), pass_fds=(fileno,))
        assert process.get("/").status_code == 200


def test_taken_port_is_one_line(server: StartServer, two: ServerProcess) -> None:
    other = server(APP, "--workers", "2", "-p", str(two.port), listen=False)
    assert other.wait() == 1
    assert other.log().splitlines()[-1].startswith("cppasgi: Listen failure: Couldn't listen on")


@pytest.mark.parametrize(
    ("app", "status", "line"),
    [
        ("apps.nowhere:app", 1, "cppasgi: Could not import"),
        ("apps.lifespans:failing", 3, "cppasgi: Application startup failed"),
    ],
)
def test_worker_that_cannot_start_stops_the_start(
    server: StartServer, app: str, status: int, line: str
) -> None:
    process = server(app, "--workers", "2", listen=False)
    assert process.wait() == status
    assert line in process.log()
    assert "Listening" not in process.log()


def test_killed_worker_is_replaced_and_others_notice_nothing(two: ServerProcess) -> None:
    before = descriptors_of(two.process.pid)
    wires: dict[int, Wire] = {}
    while len(wires) < 2:
        wire = two.connect().upgraded("/")
        pid = int(wire.read_frame()[1])
        if wires.setdefault(pid, wire) is not wire:
            wire.close()
    victim, witness = wires
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(set(workers_of(two)) - {victim}) == 2)
    two.wait_for_log(rf"process {victim}\) was ended by SIGKILL")
    two.wait_for_log(r"(?s)SIGKILL.*is ready")
    wires[witness].send_frame(TEXT, "still here")
    assert wires[witness].read_frame() == (TEXT, b"still here")
    assert answering(two) == set(workers_of(two))
    assert not is_alive(victim)
    assert descriptors_of(two.process.pid) == before
    for wire in wires.values():
        wire.close()


def test_worker_that_keeps_dying_is_started_ever_more_slowly(two: ServerProcess) -> None:
    for count in range(1, 4):
        two.wait_for_log(rf"(?s)(is ready.*){{{count + 1}}}")
        os.kill(int(re.findall(r"Worker 1 is ready, process (\d+)", two.log())[-1]), signal.SIGKILL)
        two.wait_for_log(rf"(?s)(SIGKILL.*){{{count}}}")
    two.wait_for_log("Worker 1 is started again in 1 s")
    two.wait_for_log("Worker 1 is started again in 2 s")
    two.wait_for_log(r"(?s)again in 2 s.*Worker 1 is ready")
    assert two.stop() == 0


@pytest.mark.parametrize("path", ["/", "/blocked/1000"])
def test_workers_end_with_their_supervisor(server: StartServer, path: str) -> None:
    process = server(APP, "--workers", "2", "--graceful-timeout", "0.5")
    with process.connect() as wire:
        wire.request(path)
        time.sleep(0.1)
        workers = workers_of(process)
        process.process.kill()
        wait_until(lambda: not any(map(is_alive, workers)))


def test_terminal_signal_reaches_workers_through_the_supervisor_only(two: ServerProcess) -> None:
    group = os.getpgid(two.process.pid)
    assert all(os.getpgid(pid) != group for pid in workers_of(two))
    assert two.stop(signal.SIGINT) == 0


def test_workers_are_added_and_taken_away(two: ServerProcess) -> None:
    two.send_signal(signal.SIGTTIN)
    two.wait_for_log("Worker 3 is ready")
    assert len(workers_of(two)) == 3
    assert answering(two, 60) == set(workers_of(two))
    two.send_signal(signal.SIGTTOU)
    two.wait_for_log(r"Worker 3 \(process \d+\) has stopped")
    two.send_signal(signal.SIGTTOU)
    two.wait_for_log(r"Worker 2 \(process \d+\) has stopped")
    two.send_signal(signal.SIGTTOU)
    two.wait_for_log("The last worker stays")
    assert answering(two, 20) == set(workers_of(two))
    assert two.stop() == 0


def test_connections_spread_over_workers(two: ServerProcess) -> None:
    owners = []
    wires = [two.connect().upgraded("/") for _ in range(200)]
    for wire in wires:
        owners.append(wire.read_frame()[1])
        wire.close()
    # Chance alone: more than 30 off 100 has a probability of 1 in 40,000.
    assert abs(owners.count(owners[0]) - 100) <= 30


def test_worker_is_replaced_after_its_lifetime(server: StartServer) -> None:
    process = server(APP, "--worker-lifetime", "1")
    first = answering(process, 1)
    process.wait_for_log(r"Replacing worker 1 after [1-9] s")
    process.wait_for_log(r"Worker 1 \(process \d+\) has stopped")
    assert answering(process, 1).isdisjoint(first)


def test_worker_is_replaced_for_its_memory(server: StartServer) -> None:
    process = server(APP, "--worker-max-rss", "200")
    first = answering(process, 1)
    process.get("/grow/200")
    process.wait_for_log(r"Replacing worker 1 after 2\d\d MiB of memory")
    process.wait_for_log(r"Worker 1 \(process \d+\) has stopped")
    assert answering(process, 1).isdisjoint(first)


def test_memory_limit_below_what_any_worker_takes_is_told_once(server: StartServer) -> None:
    process = server(APP, "--worker-max-rss", "1", "--workers", "2")
    found = process.wait_for_log(
        r"A worker takes (\d+) MiB as soon as it serves, so that --worker-max-rss can't be 1: "
        r"workers are replaced when they take (\d+) MiB"
    )
    assert int(found[2]) // 2 == int(found[1])
    before = workers_of(process)
    answering(process, 20)
    time.sleep(3)
    assert workers_of(process) == before
    process.get(f"/grow/{found[2]}")  # the limit is another one, but there is one
    process.wait_for_log(r"Replacing worker \d after \d+ MiB of memory")
    process.wait_for_log(r"Worker \d \(process \d+\) has stopped")
    time.sleep(2)
    assert process.log().count("so that --worker-max-rss can't be") == 1
    assert process.stop() == 0


def test_memory_limit_that_the_first_requests_reach_is_not_reached_for_ever(
    server: StartServer,
) -> None:
    """What is imported lazily, as Django's URLs are, comes after the start."""
    process = server(APP, "--worker-max-rss", "100")
    process.get("/grow/100")
    process.wait_for_log(r"Replacing worker 1 after 1\d\d MiB of memory")
    process.wait_for_log(r"Worker 1 \(process \d+\) has stopped")
    process.wait_for_log("so that --worker-max-rss can't be 100")
    second = answering(process, 1)
    process.get("/grow/100")
    time.sleep(3)
    assert answering(process, 1) == second


def test_stacks_and_counts_of_all_workers_are_logged(two: ServerProcess) -> None:
    with two.connect() as wire:
        wire.request("/sleep/1")
        time.sleep(0.1)
        two.send_signal(signal.SIGUSR2)
        for pid in workers_of(two):
            two.wait_for_log(rf"Process {pid}: \d connections, \d application calls")
        assert re.search("1 connections, 1 application calls", two.log())
        assert two.log().count("most recent call first") >= 2
        assert wire.response().status == 200


@pytest.mark.parametrize("path", ["/sleep/3", "/in-c"])
def test_stacks_of_workers_do_not_mix(server: StartServer, path: str) -> None:
    process = server(APP, "--workers", "3", "--graceful-timeout", "0")
    with process.connect() as wire:
        wire.request(path)
        time.sleep(0.3)
        begin = len(process.log())
        process.send_signal(signal.SIGUSR2)
        pids = workers_of(process)
        wait_until(lambda: process.log()[begin:].count("the stacks of its threads") == len(pids))
        time.sleep(0.5)
        parts = re.split(r"Process (\d+), the stacks of its threads:\n", process.log()[begin:])
        assert sorted(map(int, parts[1::2])) == sorted(pids)
        for text in parts[2::2]:
            assert len(re.findall("^Current thread .*most recent call first", text, re.M)) == 1
        assert sum('apps/working.py", line' in text for text in parts[2::2]) == (path == "/in-c")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_stacks_are_json_where_logs_are(server: StartServer, workers: str) -> None:
    flags = ("--log-fmt", "json", "--worker-timeout", "1", "--workers", workers, "-p", "0")
    process = server(APP, *flags, listen=False)
    found = process.wait_for_log(r"Listening on TCP address (\S+):(\d+)")
    process.host, process.port = found[1], int(found[2])
    process.send_signal(signal.SIGUSR2)
    process.wait_for_log("(?s)" + "the stacks of its threads.*" * int(workers))
    with process.connect() as wire:
        wire.request("/in-c")
        process.wait_for_log(r"is stuck.*\n.*the stacks of its threads", 20)
    lines = [json.loads(line) for line in process.log().splitlines()]
    stacks = [line for line in lines if "the stacks of its threads" in line["message"]]
    assert len(stacks) == int(workers) + 1
    for line in stacks:
        assert line["message"].startswith(f"Process {line['process']}, the stacks")
        assert set(line) == {"time", "level", "logger", "process", "message"}
        assert abs(time.time() - datetime.fromisoformat(line["time"]).timestamp()) < 60
    assert 'apps/working.py", line' in stacks[-1]["message"]


def test_log_files_are_opened_again_in_all_workers(server: StartServer, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    process = server(APP, "--workers", "2", "--access-log", str(log))
    log.rename(tmp_path / "old.log")
    process.send_signal(signal.SIGUSR1)
    wait_until(lambda: all(has_open(pid, log) for pid in workers_of(process)))
    answering(process, 20)
    wait_until(lambda: log.read_text().count("GET /") == 20)


@pytest.mark.parametrize("path", ["/blocked/1000", "/in-c", "/sleep/1000"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_stop_ends_in_time_whatever_the_application_does(
    server: StartServer, path: str, workers: str
) -> None:
    process = server(APP, "--workers", workers, "--graceful-timeout", "1")
    with process.connect() as wire:
        wire.request(path)
        time.sleep(0.3)
        begun = time.monotonic()
        status = process.stop()
        # 3.5 s on an idle machine; here other tests run beside it.
        assert time.monotonic() - begun < 4.5
    if path == "/sleep/1000":
        assert status == 0
    else:
        assert status == 1
        assert "cppasgi: not stopped in time" in process.log()
        assert 'apps/working.py", line' in process.log()
