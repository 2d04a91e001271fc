"""A server inside the test's own process, on an event loop of each kind, and a client beside it."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from wire import TEXT, handshake

cppasgi = pytest.importorskip("cppasgi", reason="cppasgi is not installed in this environment")

from cppasgi.serving.loops import loop_factory  # noqa: E402

Scope = dict[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


@pytest.fixture(params=["asyncio", "native", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Callable[[Any], Any]]:
    """Runs a coroutine on a new loop of each kind, as a program with its own loop does."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    loop = loop_factory(request.param)()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield lambda coroutine, seconds=30: loop.run_until_complete(
            asyncio.wait_for(coroutine, seconds)
        )
        loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@asynccontextmanager
async def serving(app: App, **options: Any) -> AsyncIterator[Any]:
    """A server on a free port in the running loop."""
    server = cppasgi.Server(app, port=0, lifespan="off", **options)
    task = asyncio.create_task(server.serve())
    try:
        await server.started()
        yield server
    finally:
        server.shutdown()
        await asyncio.wait_for(task, 15)


class Client:
    """A minimal client in the same loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, server: Any) -> Client:
        return cls(*await asyncio.open_connection(*server.addresses[0]))

    async def get(self, target: str = "/") -> tuple[int, bytes]:
        self.send(f"GET {target} HTTP/1.1\r\nHost: test\r\n\r\n")
        return await self.response()

    def send(self, data: str | bytes) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)

    async def response(self) -> tuple[int, bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].split("\r\n")[0] or 0)
        return int(head.split()[1]), await self.reader.readexactly(length)

    async def upgrade(self, target: str = "/") -> None:
        self.send(handshake(target))
        assert (await self.response())[0] == 101

    async def read_text(self) -> str:
        head = await self.reader.readexactly(2)
        assert head[0] == 0x80 | TEXT
        return (await self.reader.readexactly(head[1])).decode()

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


async def answer(send: Any, body: str) -> None:
    data = body.encode()
    headers = [(b"content-length", str(len(data)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": data})


async def get(app: App, target: str = "/", **options: Any) -> str:
    """One request to one server."""
    async with serving(app, **options) as server:
        client = await Client.open(server)
        status, body = await client.get(target)
        await client.close()
    assert status == 200, body
    return body.decode()
