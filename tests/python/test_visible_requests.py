"""Every request is in the access log and in the metrics once, however it ends.

tests/cpp/session/session_log_test.cpp has the whole table; here are those that need a process.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import StartServer
from processes import workers_of
from server_process import ServerProcess
from waiting import wait_until
from wire import Wire

pytestmark = pytest.mark.python_side


def lines(process: ServerProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in process.access_log().splitlines()]


def scraped(tmp_path: Path) -> dict[str, float]:
    """All series of /metrics."""
    with Wire.open(str(tmp_path / "metrics.sock")) as wire:
        text = wire.get("/metrics").body.decode()
    return {name: float(value) for name, value in re.findall(r"^(cppasgi\S+) (\S+)$", text, re.M)}


def requests_by_status(tmp_path: Path) -> dict[str, float]:
    pattern = re.compile(r'cppasgi_http_requests_total\{status="(\w+)"\}')
    found = ((pattern.match(name), count) for name, count in scraped(tmp_path).items())
    return {match[1]: count for match, count in found if match and count}


def left_before(wire: Wire) -> None:
    wire.request("/sleep/60")
    time.sleep(0.1)
    wire.reset()


def left_within(wire: Wire) -> None:
    wire.request("/started-then-sleep/60")
    wire.read_until(b"begin")
    wire.reset()


def left_long_response(wire: Wire) -> None:
    wire.request("/whole-length/30000000")
    wire.read(100_000)
    wire.reset()


def half_closed_in_head(wire: Wire) -> None:
    wire.send("GET /half HTT")
    wire.sock.shutdown(1)
    wire.read_to_end()


def raised(wire: Wire) -> None:
    assert wire.get("/raise-before").status == 500


def raised_within(wire: Wire) -> None:
    wire.request("/raise-in-body/chunked")
    wire.read_to_end()


def nothing_sent(wire: Wire) -> None:
    assert wire.get("/return-at-once").status == 500


def nonsense(wire: Wire) -> None:
    wire.send("BREW /pot HTTP/1.1\r\n\r\n")
    assert wire.response().status == 501


def slow_head(wire: Wire) -> None:
    wire.send("GET /slow HTT")
    assert wire.response().status == 408


def too_long(wire: Wire) -> None:
    assert wire.get("/" + "x" * 200).status == 414


def many_fields(wire: Wire) -> None:
    assert wire.get("/fields", *(f"a{number}: b" for number in range(20))).status == 431


def too_slow(wire: Wire) -> None:
    assert wire.get("/sleep/60").status == 503


CASES: list[tuple[Callable[[Wire], None], str | None, str | None, int, bool]] = [
    (left_before, "GET", "/sleep/60", 499, False),
    (left_within, "GET", "/started-then-sleep/60", 200, True),
    (left_long_response, "GET", "/whole-length/30000000", 200, True),
    (half_closed_in_head, "GET", "/half", 499, False),
    (raised, "GET", "/raise-before", 500, False),
    (raised_within, "GET", "/raise-in-body/chunked", 200, True),
    (nothing_sent, "GET", "/return-at-once", 500, False),
    (nonsense, "BREW", None, 501, False),
    (slow_head, "GET", "/slow", 408, False),
    (too_long, "GET", "/" + "x" * 200, 414, False),
    (many_fields, "GET", "/fields", 431, False),
    (too_slow, "GET", "/sleep/60", 503, False),
]


def test_every_end_has_one_line_and_one_sample(server: StartServer, tmp_path: Path) -> None:
    process = server(
        *("apps.probe:app", "--log-format", "json", "--metrics", f"unix:{tmp_path}/metrics.sock"),
        *("--limit-request-line", "100", "--limit-request-fields", "10"),
        *("--timeout-request-header", "1", "--http-timeout", "2"),
    )
    for number, (case, method, path, status, cut) in enumerate(CASES, start=1):
        with process.connect() as wire:
            case(wire)
        wait_until(lambda count=number: len(lines(process)) >= count)  # type: ignore[misc]
        line = lines(process)[-1]
        got = [line[key] for key in ("method", "path", "status", "cut")]
        assert got == [method, path, status, cut], case.__name__
        assert 0 <= line["duration"] < 15
    long = next(line for line in lines(process) if line["path"] == "/whole-length/30000000")
    assert 100_000 <= long["bytes"] < 30_000_000
    expected: dict[str, float] = {}
    for _, _, _, status, cut in CASES:
        name = "cut" if cut else str(status)
        expected[name] = expected.get(name, 0) + 1
    wait_until(lambda: requests_by_status(tmp_path) == expected, 20)
    series = scraped(tmp_path)
    assert series["cppasgi_http_request_duration_seconds_count"] == len(CASES)
    # Those of the long head and of the slow application.
    assert series["cppasgi_http_request_duration_seconds_sum"] > 3
    assert series["cppasgi_http_requests_in_flight"] == 0
    assert process.stop() == 0
    assert len(lines(process)) == len(CASES)  # and none of the monitoring port's


def test_a_stop_leaves_a_line_for_what_it_cuts(server: StartServer, tmp_path: Path) -> None:
    process = server("apps.probe:app", "--log-format", "json", "--graceful-timeout", "3")
    with process.connect() as before, process.connect() as within, process.connect() as head:
        before.request("/sleep/60")
        within.request("/started-then-sleep/60")
        within.read_until(b"begin")
        head.send("GET /half HTT")
        process.stop()
    found = {(line["path"], line["status"], line["cut"]) for line in lines(process)}
    assert found == {
        ("/sleep/60", 503, False),
        ("/started-then-sleep/60", 200, True),
        ("/half", 408, False),
    }
    assert len(lines(process)) == 3


@pytest.mark.parametrize("how", ["kill", "crash"])
def test_what_a_killed_worker_had_open_is_counted(
    server: StartServer, tmp_path: Path, how: str
) -> None:
    process = server(
        *("apps.probe:app", "--workers", "1", "--metrics", f"unix:{tmp_path}/metrics.sock")
    )
    with process.connect() as first, process.connect() as second, process.connect() as socket:
        first.request("/sleep/60")
        second.request("/started-then-sleep/60")
        second.read_until(b"begin")
        socket.upgraded("/echo/any")
        wait_until(lambda: scraped(tmp_path)["cppasgi_http_requests_in_flight"] == 2)
        wait_until(lambda: scraped(tmp_path)["cppasgi_websocket_connections"] == 1)
        (worker,) = workers_of(process)
        os.kill(worker, signal.SIGKILL if how == "kill" else signal.SIGSEGV)
        wait_until(lambda: workers_of(process) not in ([], [worker]), 20)
    # What /metrics says may be a moment old.
    wait_until(lambda: requests_by_status(tmp_path) == {"cut": 2}, 20)
    series = scraped(tmp_path)
    assert series['cppasgi_websocket_disconnects_total{code="1006"}'] == 1
    assert series["cppasgi_http_requests_in_flight"] == 0
    assert series["cppasgi_websocket_connections"] == 0


def test_daphnes_line_has_the_mark_at_its_end(server: StartServer) -> None:
    process = server("apps.probe:app")
    for case in (left_before, left_within, nonsense):
        with process.connect() as wire:
            case(wire)
    wait_until(lambda: process.access_log().count("\n") == 3)
    ends = [line.partition("] ")[2] for line in process.access_log().splitlines()]
    assert sorted(ends) == [
        '"BREW -" 501 22',
        '"GET /sleep/60" 499 -',
        '"GET /started-then-sleep/60" 200 6 cut',
    ]
