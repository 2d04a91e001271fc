"""Metrics by route: named by Django's and FastAPI's middleware, added up over workers."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from conftest import StartServer
from processes import workers_of
from waiting import wait_until
from wire import Wire

pytestmark = pytest.mark.python_side


def by_route(tmp_path: Path, what: str) -> dict[str, float]:
    with Wire.open(str(tmp_path / "metrics.sock")) as wire:
        text = wire.get("/metrics").body.decode()
    found = re.findall(rf'^cppasgi_http_route_{what}_total{{route="(.*)"}} (\S+)$', text, re.M)
    return {name: float(value) for name, value in found}


def test_django(server: StartServer, tmp_path: Path) -> None:
    process = server(
        *("apps.routed_django:app", "--workers", "2"),
        *("--metrics", f"unix:{tmp_path / 'metrics.sock'}"),
    )
    for number in range(20):
        answer = process.get(f"/articles/{number}/")
        assert answer.text == str(number)
        assert "cppasgi-route" not in answer.headers
    assert process.get("/names/someone").text == "someone"
    assert process.get("/names/missing").status_code == 404
    assert process.get("/nowhere").status_code == 404
    assert process.get("/fail").status_code == 500
    assert process.get("/long/" + "x" * 100).status_code == 500
    expected = {
        "/articles/<int:number>/": 20,
        r"/^names/(?P<name>\\w+)$": 2,  # escaped as a label's value is
        "/fail": 1,
        "other": 1,
    }
    wait_until(lambda: by_route(tmp_path, "requests") == expected)  # it may be a moment old
    assert by_route(tmp_path, "failures") == {**dict.fromkeys(expected, 0), "/fail": 1, "other": 1}
    assert all(seconds > 0 for seconds in by_route(tmp_path, "seconds").values())
    before = set(workers_of(process))
    os.kill(min(before), signal.SIGKILL)
    wait_until(lambda: len(set(workers_of(process)) - before) == 1, 20)
    assert by_route(tmp_path, "requests") == expected


def test_fastapi(server: StartServer, tmp_path: Path) -> None:
    process = server("apps.routed_fastapi:app", "--metrics", f"unix:{tmp_path / 'metrics.sock'}")
    for number in range(3):
        answer = process.get(f"/items/{number}")
        assert answer.text == str(number)
        assert "cppasgi-route" not in answer.headers
    wait_until(lambda: by_route(tmp_path, "requests") == {"/items/{number}": 3})
