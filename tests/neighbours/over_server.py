"""A pytest plugin: Starlette's TestClient speaks to a real server, of the kind NEIGHBOUR_SERVER.

URLs and Host fields stay those of the test; only the connection goes elsewhere.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import starlette.testclient
from starlette.testclient import httpx  # httpx2, or httpx, which it replaces

KIND = os.environ["NEIGHBOUR_SERVER"]
SECONDS = 20

running: list[Any] = []


class Cppasgi:
    """A server in a thread."""

    def __init__(self, app: Any) -> None:
        import cppasgi

        self.server = cppasgi.Server(app, port=0, lifespan="off", signal_handlers=False)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()

    def port(self) -> int | None:
        return self.server.addresses[0][1] if self.server.addresses else None  # type: ignore

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join(SECONDS)


class Uvicorn:
    """The same."""

    def __init__(self, app: Any) -> None:
        import uvicorn

        config = uvicorn.Config(app, port=0, lifespan="off", log_level="critical")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()

    def port(self) -> int | None:
        if not self.server.started:
            return None
        return int(self.server.servers[0].sockets[0].getsockname()[1])

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(SECONDS)


class Redirected(httpx.HTTPTransport):
    """Sends everything to one port of this machine."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self.port)
        return super().handle_request(
            httpx.Request(
                request.method,
                url,
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        )


class OverServer(httpx.Client):
    """What tests make instead of a TestClient, with the arguments that matter to a real one."""

    __test__ = False

    def __init__(
        self,
        app: Any,
        base_url: str = "http://testserver",
        headers: Any = None,
        cookies: Any = None,
        follow_redirects: bool = True,
        **_: Any,
    ) -> None:
        self.calls = 0

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            self.calls += 1
            try:
                await app(scope, receive, send)
            finally:
                self.calls -= 1

        server = {"cppasgi": Cppasgi, "uvicorn": Uvicorn}[KIND](counted)
        running.append(server)
        end = time.monotonic() + SECONDS
        while (port := server.port()) is None:
            assert time.monotonic() < end, "the server doesn't start"
            time.sleep(0.005)
        super().__init__(
            base_url=base_url,
            headers={"user-agent": "testclient", **dict(headers or {})},
            cookies=cookies,
            follow_redirects=follow_redirects,
            transport=Redirected(port),
            timeout=SECONDS,
        )

    def request(self, *arguments: Any, **keywords: Any) -> httpx.Response:
        """Returns when the application does, as with a TestClient: background tasks are over."""
        response = super().request(*arguments, **keywords)
        end = time.monotonic() + SECONDS
        while self.calls and time.monotonic() < end:
            time.sleep(0.001)
        return response


starlette.testclient.TestClient = OverServer  # type: ignore


@pytest.fixture(autouse=True)
def _stop_servers() -> Iterator[None]:
    yield
    while running:
        running.pop().stop()
