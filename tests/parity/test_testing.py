"""`cppasgi.testing`: server processes that tests start in their own process tree."""

from __future__ import annotations

import multiprocessing
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from cppasgi.testing import BaseServerInstance, ServerInstance, ServerProcess

pytest_plugins = ["cppasgi.pytest_plugin"]


@pytest.fixture(params=["fork", "spawn"], autouse=True)
def start_method(request: pytest.FixtureRequest) -> Iterator[None]:
    before = multiprocessing.get_start_method()
    multiprocessing.set_start_method(request.param, force=True)
    yield
    multiprocessing.set_start_method(before, force=True)


async def hello(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": scope["root_path"].encode()})


def get_hello() -> Any:
    return hello


def fail() -> Any:
    raise LookupError("as asked")


class FailingInstance(BaseServerInstance):
    def process_setup(self) -> None:
        fail()


def test_process_tells_its_port_and_ends_by_sigterm() -> None:
    process = ServerProcess("localhost", get_hello, {"root_path": "/x"})
    process.start()
    assert process.ready.wait(30)
    assert httpx.get(f"http://localhost:{process.port.value}/").text == "/x"
    process.terminate()
    process.join(10)
    assert process.exitcode == -signal.SIGTERM
    assert process.errors.empty()


def test_process_reports_what_ended_the_server() -> None:
    process = ServerProcess("localhost", get_hello, setup=fail)
    process.start()
    error, text = process.errors.get(timeout=30)
    process.join(10)
    assert isinstance(error, LookupError)
    assert "in fail" in text
    assert not process.ready.is_set()
    assert process.exitcode == 0


def test_process_on_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = ServerProcess("127.0.0.1", get_hello, port=taken.getsockname()[1])
        process.start()
        error, _ = process.errors.get(timeout=30)
        process.join(10)
    assert "Address already in use" in str(error)


def test_instance_that_does_not_start_says_why() -> None:
    instance = FailingInstance(application=hello)
    with pytest.raises(RuntimeError, match=r"did not start up: \n(.*\n)*LookupError: as asked"):
        instance.__enter__()
    assert not instance.process.is_alive()


def test_instance_notes_scope_and_messages_and_answers() -> None:
    with ServerInstance() as server:
        with pytest.raises(ValueError, match=r"No results available yet\."):
            server.get_received()
        server.add_send_messages([{"type": "websocket.accept"}])
        with connect(f"ws://{server.host}:{server.port}/path") as client:
            server.add_send_messages([{"type": "websocket.send", "text": "there"}])
            client.send("here")
            assert client.recv(10) == "there"
            scope, messages = server.get_received()
        assert scope["path"] == "/path"
        assert messages == [
            {"type": "websocket.connect"},
            {"type": "websocket.receive", "text": "here"},
        ]


def test_instance_raises_what_was_raised_in_the_application() -> None:
    with ServerInstance() as server:
        server.add_send_messages([{"type": "http.response.body"}])
        assert httpx.get(f"http://{server.host}:{server.port}/").status_code == 500
        with pytest.raises(ValueError, match="has not yet been started"):
            server.get_received()


def test_fixture_serves_several_applications(
    serve_asgi: Callable[..., BaseServerInstance], tmp_path: Path
) -> None:
    servers = [serve_asgi(hello, root_path=path) for path in ("/a", "/b")]
    texts = [httpx.get(f"http://{server.host}:{server.port}/").text for server in servers]
    assert texts == ["/a", "/b"]
