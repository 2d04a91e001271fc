"""Access log lines beyond Daphne's, and a log file that is moved away under a running server."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path

import httpx
from conftest import StartServer
from server_process import ServerProcess
from websockets.sync.client import connect

HEADERS = {
    "User-Agent": 'agent "quoted"',
    "Referer": "http://example.org/",
    "X-Request-ID": "7f3a",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}


def lines_of(process: ServerProcess, count: int) -> list[str]:
    end = time.monotonic() + 20
    while process.access_log().count("\n") < count:
        assert time.monotonic() < end, process.access_log()
        time.sleep(0.01)
    return process.access_log().splitlines()


def test_combined(server: StartServer) -> None:
    process = server("apps.probe:app", "--log-format", "combined")
    httpx.get(f"{process.url}/?q=1", headers=HEADERS)
    with process.connect() as wire:
        assert wire.get("/status/204").status == 204
    first, second = lines_of(process, 2)
    pattern = (
        r"127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "
        r'"GET /\?q=1 HTTP/1\.1" 200 5 "http://example\.org/" "agent \\x22quoted\\x22"'
    )
    assert re.fullmatch(pattern, first), first
    assert second.endswith('"GET /status/204 HTTP/1.1" 204 - "-" "-"'), second


def test_json(server: StartServer) -> None:
    process = server("apps.probe:app", "--log-format", "json")
    httpx.get(f"{process.url}/sleep/0.2?q=%22", headers=HEADERS)
    with connect(f"{process.ws_url}/echo"):
        pass
    lines = [json.loads(line) for line in lines_of(process, 4)]
    answer = lines[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", answer.pop("time"))
    assert 0.2 <= answer.pop("duration") < 20
    assert answer == {
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/sleep/0.2",
        "query": "q=%22",
        "protocol": "HTTP/1.1",
        "status": 200,
        "bytes": answer["bytes"],
        "cut": False,
        "code": None,
        "referer": HEADERS["Referer"],
        "user_agent": HEADERS["User-Agent"],
        "request_id": HEADERS["X-Request-ID"],
        "traceparent": HEADERS["traceparent"],
    }
    events = [(line["method"], line["path"], line["status"]) for line in lines[1:]]
    assert events == [(f"WS{e}", "/echo", None) for e in ("CONNECTING", "CONNECT", "DISCONNECT")]
    assert [line["code"] for line in lines[1:]] == [None, None, 1000]
    assert lines[1]["request_id"] is None


def test_gunicorns_atoms(server: StartServer) -> None:
    atoms = "%(h)s %(m)s %(U)s %(q)s %(H)s %(s)s %(B)s %(b)s %(l)s%(u)s 100%% %(p)s"
    format = f"{atoms} %({{X-Request-ID}}i)s %({{X-None}}i)s %(T)s %(M)s %(D)s %(L)s"
    process = server("apps.probe:app", "--log-format", format)
    httpx.get(f"{process.url}/sleep/1.1?q=1", headers=HEADERS)
    (line,) = lines_of(process, 1)
    pattern = (
        r"127\.0\.0\.1 GET /sleep/1\.1 q=1 HTTP/1\.1 200 (\d+) \1 -- 100% <\d+> 7f3a - "
        r"(\d+) (\d+) (\d+) (\d+)\.(\d{6})"
    )
    match = re.fullmatch(pattern, line)
    assert match, line
    _, whole, thousandths, millionths, seconds, fraction = match.groups()
    assert int(whole) == int(seconds) >= 1
    # A loop's timer may fire a millisecond early.
    assert int(thousandths) == int(millionths) // 1000 >= 1098
    assert int(millionths) == int(seconds + fraction)


def test_what_is_no_request_is_logged_too(server: StartServer) -> None:
    process = server("apps.probe:app", "--log-format", "json")
    with process.connect() as wire:
        wire.send(b"nonsense\r\n\r\n")
        assert wire.response().status == 400
    (line,) = lines_of(process, 1)
    assert json.loads(line)["status"] == 400
    assert json.loads(line)["method"] == "nonsense"
    assert json.loads(line)["path"] is None
    assert json.loads(line)["protocol"] is None


def test_who_resets_at_once_has_an_address(server: StartServer) -> None:
    process = server("apps.probe:app")
    process.send_signal(signal.SIGSTOP)
    with process.connect() as wire:
        own = wire.sock.getsockname()
        wire.send(b"nonsense\r\n\r\n")
        wire.reset()
    process.send_signal(signal.SIGCONT)
    (line,) = lines_of(process, 1)
    assert line.startswith(f"{own[0]}:{own[1]} - - ["), line


def test_a_moved_file_is_left_at_sigusr1(server: StartServer, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    process = server("apps.probe:app", "--access-log", str(log))
    process.get("/first")
    wait_for(log, "/first")
    log.rename(tmp_path / "access.log.1")
    process.send_signal(signal.SIGUSR1)
    wait_for(log, "")
    process.get("/second")
    wait_for(log, "/second")
    assert "/first" not in log.read_text()
    assert "/second" not in (tmp_path / "access.log.1").read_text()
    # What can't be opened again goes on where it was.
    log.rename(tmp_path / "access.log.2")
    log.mkdir()
    process.send_signal(signal.SIGUSR1)
    process.wait_for_log("Can't open the access log .* again: Is a directory")
    process.get("/third")
    wait_for(tmp_path / "access.log.2", "/third")
    assert process.stop() == 0


def test_sigusr1_without_a_file_ends_nothing(server: StartServer) -> None:
    process = server("apps.probe:app")
    process.send_signal(signal.SIGUSR1)
    assert process.get("/").text == "hello"
    assert process.stop() == 0


def wait_for(path: Path, text: str) -> None:
    end = time.monotonic() + 20
    while not (path.exists() and text in path.read_text()):
        assert time.monotonic() < end, f"no {text!r} in {path}"
        time.sleep(0.01)
