"""Frameworks as their users start them: each one's application behind the command line."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from conftest import StartServer, _starter
from server_process import ServerProcess
from wire import CLOSE, TEXT, Wire, close_payload

FRAMEWORKS = ["django", "fastapi", "litestar", "quart", "starlette"]
STREAMED = "part 0;part 1;part 2;"


@pytest.fixture(scope="module", params=FRAMEWORKS)
def framework(
    request: pytest.FixtureRequest,
    server_command: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ServerProcess]:
    pytest.importorskip(request.param, reason=f"{request.param} isn't installed")
    started: list[ServerProcess] = []
    start = _starter(server_command, tmp_path_factory.mktemp(request.param), started)
    start(f"apps.hello_{request.param}:app")
    yield started[0]
    started[0].kill()


@pytest.fixture
def wire(framework: ServerProcess) -> Iterator[Wire]:
    with framework.connect() as connection:
        yield connection


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("/hello", "hello yes"),
        ("/sync", "True"),
        ("/stream", STREAMED),
        ("/stream-sync", STREAMED),
    ],
)
def test_views(wire: Wire, target: str, text: str) -> None:
    for _ in range(3):  # On one connection.
        response = wire.get(target)
        assert (response.status, response.body.decode()) == (200, text)


def test_stream_is_chunked(wire: Wire) -> None:
    assert [chunk.decode() for chunk in wire.get("/stream").chunks] == [
        "part 0;",
        "part 1;",
        "part 2;",
    ]


@pytest.mark.parametrize("size", [0, 10, 200_000])
def test_content_comes_back(wire: Wire, size: int) -> None:
    wire.request("/echo", "POST", f"Content-Length: {size}", body=b"c" * size)
    response = wire.response()
    assert (response.status, len(response.body)) == (200, size)


def test_head(wire: Wire) -> None:
    assert wire.get("/hello", method="HEAD").status in (200, 405)
    assert wire.get("/hello").body == b"hello yes"


def test_unknown_path_and_failing_view(wire: Wire) -> None:
    assert wire.get("/nowhere").status == 404
    with suppress(EOFError):  # The server may close after a failure.
        assert wire.get("/fail").status == 500


def test_concurrent_requests(framework: ServerProcess) -> None:
    targets = ["/hello", "/sync", "/stream", "/stream-sync"] * 5
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        assert {response.status_code for response in pool.map(framework.get, targets)} == {200}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_client_that_leaves_a_stream(server: StartServer, name: str) -> None:
    pytest.importorskip(name, reason=f"{name} isn't installed")
    process = server(f"apps.hello_{name}:app")
    with process.connect() as wire:
        wire.request("/stream")
        wire.head()
        wire.reset()
    time.sleep(0.2)
    assert process.get("/hello").text == "hello yes"
    assert "Traceback" not in process.log()


def test_websocket(wire: Wire, request: pytest.FixtureRequest) -> None:
    if request.node.callspec.params["framework"] == "django":
        pytest.skip("Django leaves WebSockets to Channels")
    assert wire.upgrade("/socket").status == 101
    for text in ("one", "two"):
        wire.send_frame(TEXT, text)
        assert wire.read_frame() == (TEXT, text.upper().encode())
    wire.send_frame(CLOSE, close_payload(1000))
    assert wire.read_close() == 1000


@pytest.fixture
def starlette(framework: ServerProcess, request: pytest.FixtureRequest) -> ServerProcess:
    if request.node.callspec.params["framework"] != "starlette":
        pytest.skip("Starlette's own")
    return framework


def test_background_task_runs_after_the_response(starlette: ServerProcess) -> None:
    with starlette.connect() as wire:
        wire.request("/echo", "POST", "Content-Length: 1", body=b"x")
        assert wire.response().body == b"x"
        while b"echo" not in wire.get("/background").body:  # as soon as a thread has run it
            time.sleep(0.02)
