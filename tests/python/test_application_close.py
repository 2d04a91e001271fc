"""``--application-close-timeout``: calls that go on after their response or their client."""

from __future__ import annotations

import pytest
from conftest import StartServer
from websockets.sync.client import connect

APP = "apps.lingers:app"


def test_calls_end_some_time_after_their_exchange(server: StartServer) -> None:
    process = server(APP, "--application-close-timeout", "0.4")
    assert process.get("/http").text == "done"
    with connect(f"{process.ws_url}/websocket"):
        pass
    for path in ("/http", "/websocket"):
        process.wait_for_log(f"cancelled {path}\n", 20)
    log = process.log()
    killed = "WARNING  Application instance <Task .*> took too long to shut down and was killed."
    process.wait_for_log(killed)
    assert log.count("took too long to shut down and was killed.") == 2
    assert process.get("/again").text == "done"


def test_calls_within_the_time_go_on(server: StartServer) -> None:
    process = server(APP, "--application-close-timeout", "30")
    assert process.get("/http?1.2").text == "done"
    process.wait_for_log("went on /http\n", 20)


@pytest.mark.parametrize("args", [(), ("--application-close-timeout", "0")])
def test_no_call_ends_so_without_the_flag(server: StartServer, args: tuple[str, ...]) -> None:
    process = server(APP, *args)
    assert process.get("/http?1.2").text == "done"
    process.wait_for_log("went on /http\n", 20)
