"""Programs that reach into the machinery of their server: task factories, its closing, its end.

What these tests look for is memory that is used after it was freed, as those of test_misuse.py.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from in_process import Client, Scope, answer, run, serving
from test_misuse import GET, is_alive, served
from wire import TEXT, frame

cppasgi = pytest.importorskip("cppasgi", reason="cppasgi is not installed in this environment")

__all__ = ["run"]


@pytest.mark.parametrize(
    "make",
    [
        lambda loop, coroutine: None,
        lambda loop, coroutine: 7,
        lambda loop, coroutine: coroutine,
        lambda loop, coroutine: coroutine.close(),
        lambda loop, coroutine: coroutine.send(None),
        lambda loop, coroutine: coroutine.throw(LookupError("of the factory")),
        lambda loop, coroutine: 1 / 0,
        lambda loop, coroutine: [asyncio.Task(coroutine, loop=loop) for _ in range(3)],
    ],
    ids=["None", "7", "coroutine", "closed", "stepped", "thrown", "raises", "three"],
)
def test_task_factories_that_give_anything(
    run: Any,
    make: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server's own end never depends on it."""

    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # what can't be cancelled is told

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        await answer(send, "made")

    call, state = served(app)

    def factory(loop: Any, coroutine: Any, **options: Any) -> Any:
        if type(coroutine).__name__ == "ApplicationCall" and not state["well"]:
            return make(loop, coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        loop.set_exception_handler(lambda loop, context: None)
        async with serving(call, graceful_timeout=0.2) as server:
            for _ in range(3):
                client = await Client.open(server)
                client.send(GET)
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(client.reader.read(1 << 16), 0.1)
                await client.close()
            assert await is_alive(server, state)

    with caplog.at_level("CRITICAL"):
        run(main())


@pytest.mark.parametrize("where", ["call", "headers", "release", "garbage"])
def test_a_server_that_is_closed_from_within(run: Any, where: str) -> None:
    """In the middle of a batch, of a message that is read, or of a collection."""

    class Knot:
        def __init__(self, close: Callable[[], object]) -> None:
            self.me, self.close = self, close

        def __del__(self) -> None:
            self.close()

    async def main() -> None:
        async def app(scope: Scope, receive: Any, send: Any) -> None:
            native = server._native
            calls.append(scope)
            await receive()
            if len(calls) < 3:
                return
            if where == "call":
                native.close()
            elif where == "release":
                server._native = None
                native.close()
            elif where == "garbage":
                Knot(native.close)
                gc.collect()

            def headers() -> Iterator[Any]:
                if where == "headers":
                    native.close()
                yield b"x-a", b"1"

            with suppress(OSError):
                await send({"type": "http.response.start", "status": 200, "headers": headers()})
                for _ in range(3):
                    await send({"type": "http.response.body", "body": b"x" * 70_000})

        calls: list[Any] = []
        server = cppasgi.Server(app, port=0, lifespan="off")
        serves = asyncio.ensure_future(server.serve())
        await server.started()
        clients = [await Client.open(server) for _ in range(8)]
        for client in clients:
            client.send(GET)
        await asyncio.sleep(0.1)
        for client in clients:
            client.writer.close()
        serves.cancel()
        with suppress(asyncio.CancelledError):
            await serves
        assert len(calls) >= 3

    run(main())


def test_a_server_whose_last_reference_goes_in_a_call(run: Any) -> None:
    import socket

    async def main() -> None:
        async def app(scope: Scope, receive: Any, send: Any) -> None:
            while (await receive())["more_body"]:
                pass  # it is woken from inside the server
            servers.clear()
            await answer(send, "last")

        servers = [
            cppasgi._native.Server(
                app, asyncio.get_running_loop(), cppasgi._native.ServerOptions(), str
            )
        ]
        with socket.create_server(("127.0.0.1", 0)) as listener:
            servers[0].bind_fd(listener.fileno())
            servers[0].start()
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\n")
            for byte in b"body":
                await asyncio.sleep(0.01)
                writer.write(bytes([byte]))
            data = await asyncio.wait_for(reader.read(), 10)
            assert data == b"" or data.endswith(b"last")
            writer.close()

    run(main())


def test_collections_at_every_moment(run: Any) -> None:
    """As with a threshold of one: in the middle of whatever the server allocates."""

    class Knot:
        def __init__(self, call: Callable[[], object]) -> None:
            self.me, self.call = self, call

        def __del__(self) -> None:
            self.call()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        def late() -> None:
            """Uses this exchange wrongly, and others that are over."""
            send({"type": "nonsense"})
            for old_receive, old_send in over:
                old_send({"type": "http.response.body", "body": b"late"})
                old_send({"type": "websocket.send", "text": "late"})
                old_receive()

        Knot(late)
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while "text" in (message := await receive()):
                Knot(late)
                await send({"type": "websocket.send", "text": message["text"]})
        else:
            while (await receive()).get("more_body"):
                Knot(late)
            await answer(send, "collected")
        over.append((receive, send))
        del over[:-3]

    over: list[Any] = []

    async def main() -> None:
        async with serving(app) as server:
            for _ in range(5):
                client = await Client.open(server)
                for _ in range(3):
                    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n")
                    await asyncio.sleep(0)
                    client.send("0123456789")
                    assert (await client.response())[1] == b"collected"
                await client.close()
                client = await Client.open(server)
                await client.upgrade()
                for text in ("one", "two"):
                    client.send(frame(TEXT, text))
                    assert await client.read_text() == text
                await client.close()

    before = gc.get_threshold()
    gc.freeze()  # what is there already need not be looked at each time
    gc.set_threshold(1, 1, 1)
    try:
        run(main())
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
