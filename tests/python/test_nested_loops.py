"""Applications that run the event loop inside one of its own callbacks, with nest_asyncio."""

from __future__ import annotations

import concurrent.futures
import importlib.util
import re
from collections.abc import Callable
from typing import Any

import pytest
from conftest import StartServer
from server_process import ServerProcess
from wire import TEXT

AFTER = " thread task plain inner"

Nested = Callable[..., ServerProcess]


@pytest.fixture(params=["nest_asyncio", "nest_asyncio2"])
def nested(request: pytest.FixtureRequest, server: StartServer) -> Nested:
    """Starts servers with the application that nests loops."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} isn't installed")

    def start(when: str, loop: str) -> ServerProcess:
        env = {"NEST": request.param, "NEST_AT": when}
        return server("apps.nested:app", "--loop", loop, "--lifespan", "off", env=env)

    return start


def ends_well(process: ServerProcess) -> None:
    assert process.get("/plain").text == "plain "
    assert process.stop() == 0
    assert not re.search("Traceback|Exception|Error|blocked", process.log()), process.log()[-3000:]
    assert process.log().count("\n") < 15


def echo(process: ServerProcess, messages: list[str]) -> list[Any]:
    with process.connect() as wire:
        assert wire.upgrade("/").status == 101
        answers = []
        for text in messages:
            wire.send_frame(TEXT, text)
            answers.append(wire.read_frame())
        return answers


@pytest.mark.parametrize("loop", ["auto", "native", "asyncio"])
@pytest.mark.parametrize("when", ["import", "call"])
def test_a_loop_within_a_request(nested: Nested, when: str, loop: str) -> None:
    process = nested(when, loop)
    for name in ("run", "loop", "run"):
        assert process.get(f"/{name}").text == name + AFTER
    ends_well(process)


@pytest.mark.parametrize(
    ("when", "loop"),
    [
        *(("import", "auto"), ("import", "native"), ("import", "asyncio")),
        *(("call", "auto"), ("call", "native")),
        # Not the first of all on asyncio's loop if nothing was patched when the message came:
        # asyncio can't call the server then before that is over.
    ],
)
def test_a_loop_within_a_websocket_that_hears_a_message(
    nested: Nested, when: str, loop: str
) -> None:
    process = nested(when, loop)
    names = ["loop", "run"]
    assert echo(process, names) == [(TEXT, (name + AFTER).encode()) for name in names]
    ends_well(process)


@pytest.mark.parametrize("loop", ["auto", "asyncio"])
def test_loops_within_loops(nested: Nested, loop: str) -> None:
    """Each waits for what began before it, and comes back in the opposite order."""
    process = nested("import", loop)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        requests = pool.map(lambda _: process.get("/run").text, range(60))
        sockets = pool.map(lambda _: echo(process, ["run"] * 3), range(20))
        assert set(requests) == {"run" + AFTER}
        assert all(answers == [(TEXT, ("run" + AFTER).encode())] * 3 for answers in sockets)
    ends_well(process)
