"""FastAPI and Starlette whose clients leave: the work that comes after a response is done.

As under uvicorn and Daphne, which drop in silence what nobody reads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from conftest import _starter
from server_process import ServerProcess
from test_departures import leaves
from waiting import wait_until
from wire import Wire

pytestmark = pytest.mark.python_side

DONE = ["commit", "mail"]
# How to ask, what the client reads before it leaves, and what is noted in the end, in any order.
WAYS = {
    "order": ("POST", 0, DONE),
    "sync-order": ("POST", 0, DONE),
    "large": ("GET", 1000, DONE),
    "export": ("GET", 1000, ["removed"]),
    "events": ("GET", 100, ["closed"]),
}


@pytest.fixture(scope="module")
def site(
    server_command: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    pytest.importorskip("fastapi")
    started: list[ServerProcess] = []
    start = _starter(server_command, tmp_path_factory.mktemp("departures"), started)
    yield start("apps.departing_fastapi:app", "--lifespan", "off")
    for process in started:
        process.kill()


@leaves
@pytest.mark.parametrize("prefix", ["", "/middleware"])
@pytest.mark.parametrize("way", WAYS)
def test_what_comes_after_a_response_is_done(
    site: ServerProcess, key: str, way: str, prefix: str, leave: Callable[[Wire], None]
) -> None:
    method, reads, expected = WAYS[way]
    with Wire.open((site.host, site.port), receive_buffer=4096) as wire:
        wire.request(f"{prefix}/{way}/{key}", method=method)
        if reads:
            wire.read(reads)
        else:
            time.sleep(0.2)  # a reset takes with it what the server has not read yet
        leave(wire)

        def noted() -> bool:
            response = site.get(f"/report/{key}")
            return response.status_code == 200 and sorted(response.json()) == expected

        wait_until(noted, 5)
    assert "Traceback" not in site.log()
