"""Applications that fork: whatever the child does, its parent serves on."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest
from conftest import StartServer
from waiting import wait_until
from websockets.sync.client import connect
from wire import Wire

APP = "apps.forks:app"

ENDS = {
    "leave": "7",
    "process-leave": "7",
    "process-exit": "7",
    "process-fail": "1",
    "process-close": "7",
    "process-run_loop": "7",
    "exit": "7",
    "interrupt": None,
    "fail": None,
    "come_back": None,
    "wait": None,
    "close": "7",
    "run_loop": "7",
    "thread": "7",
    "terminated": "-15",
}
"""What children do, and their exit status where it's theirs to choose."""


@pytest.mark.parametrize("loop", ["native", "asyncio", "uvloop"])
@pytest.mark.parametrize("workers", [(), ("--workers", "1")], ids=["alone", "worker"])
def test_a_parent_serves_on_whatever_its_children_do(
    server: StartServer, tmp_path: Path, loop: str, workers: tuple[str, ...]
) -> None:
    path = tmp_path / "socket"
    process = server(APP, "--loop", loop, *workers, "-e", f"unix:{path}", "-p", "0")
    with process.connect() as former, connect(f"{process.ws_url}/", proxy=None) as websocket:

        def check(how: str) -> None:
            """Everybody is answered: who was there, who is new, and on the Unix socket."""
            websocket.send("echo")
            assert websocket.recv(5) == "echo", how
            assert former.get("/echo").body == b"echo", how
            with process.connect() as wire:
                assert wire.get("/echo").body == b"echo", how
            assert path.is_socket(), how

        check("before")
        for how, status in ENDS.items():
            response = former.get(f"/{how}")
            assert response.status == 200, how
            found = response.body.decode()
            assert found == status or (status is None and found not in ("0", "of the child")), how
            check(how)
            websocket.send(how)
            answer = websocket.recv(15)
            assert answer == status or (status is None and answer not in ("0", "of the child")), how
            check(how)
        assert former.is_quiet(0.1)
    begun = time.monotonic()
    assert process.stop() == 0
    assert time.monotonic() - begun < 5
    assert not path.exists()


@pytest.mark.parametrize("loop", ["native", "asyncio", "uvloop"])
def test_a_child_keeps_neither_the_address_nor_connections(server: StartServer, loop: str) -> None:
    process = server(APP, "--loop", loop)
    with process.connect() as wire:
        child = int(wire.get("/stay").body)
        try:
            assert process.stop() == 0
            assert wire.read_to_end() == b""
            with socket.create_server((process.host, process.port)):
                pass
            os.kill(child, 0)  # it is still there
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_child_counts_nothing(server: StartServer, tmp_path: Path) -> None:
    """The counters are in memory that it shares with its parent and the supervisor."""
    metrics = tmp_path / "metrics.sock"
    process = server(APP, "--metrics", f"unix:{metrics}")
    for how in ("come_back", "wait", "exit", "fail", "close"):
        assert process.get(f"/{how}").status_code == 200
    with Wire.open(str(metrics)) as wire:

        def has_ended() -> bool:
            nonlocal text
            text = wire.get("/metrics").body.decode()
            return "cppasgi_application_calls 0.0" in text

        text = ""
        wait_until(has_ended)  # the last call, a moment after its answer
    assert 'cppasgi_http_requests_total{status="200"} 5.0' in text
    assert re.search(r"^cppasgi_connections [01].0$", text, re.MULTILINE)
    assert 'cppasgi_http_requests_total{status="cut"} 0.0' in text
    assert process.access_log().count("\n") == 5
