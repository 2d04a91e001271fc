"""What the command sets in the interpreter: the collector, and how soon threads take turns."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import StartServer

APPLICATION = "apps.interpreter:app"


def test_garbage_is_collected_less_often(server: StartServer) -> None:
    assert server(APPLICATION).get("/threshold").text == "5000"


def test_what_the_server_loaded_is_not_collected_again(server: StartServer) -> None:
    assert int(server(APPLICATION).get("/frozen").text) > 10_000


def test_a_thread_that_computes_lets_the_loop_in_sooner(server: StartServer) -> None:
    assert server(APPLICATION).get("/switch").text == "0.002"


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [("COLLECTOR_THRESHOLD", "1234", "/threshold"), ("SWITCH_INTERVAL", "0.005", "/switch")],
)
def test_what_the_application_sets_stays(
    server: StartServer, name: str, value: str, path: str
) -> None:
    assert server(APPLICATION, env={name: value}).get(path).text == value


@pytest.mark.parametrize(
    ("statement", "path", "value"),
    [
        ("import gc; gc.set_threshold(0)", "/threshold", "0"),
        ("import sys; sys.setswitchinterval(0.01)", "/switch", "0.01"),
    ],
)
def test_what_was_set_before_stays(
    server: StartServer, tmp_path: Path, statement: str, path: str, value: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(statement + "\n")
    process = server(APPLICATION, env={"PYTHONPATH": str(tmp_path)})
    assert process.get(path).text == value
