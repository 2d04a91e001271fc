"""`cppasgi.Server` inside a program's own event loop, or in a thread of it."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from in_process import App, Client, Scope, answer, get, run, serving

cppasgi = pytest.importorskip("cppasgi", reason="cppasgi is not installed in this environment")

__all__ = ["run"]


def test_serve_in_a_running_loop(run: Any) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await answer(send, str(asyncio.get_running_loop() is loop))

    async def main() -> str:
        nonlocal loop
        loop = asyncio.get_running_loop()
        return await get(app)

    loop: Any = None
    assert run(main()) == "True"


def test_two_servers_in_one_loop(run: Any) -> None:
    def named(name: str) -> App:
        async def app(scope: Scope, receive: Any, send: Any) -> None:
            await answer(send, name)

        return app

    async def main() -> None:
        async with serving(named("one")) as one, serving(named("two")) as two:
            for server, name in ((one, b"one"), (two, b"two")):
                client = await Client.open(server)
                assert (await client.get())[1] == name
                await client.close()

    run(main())


def test_a_server_starts_while_another_thread_imports_uvloop(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await answer(send, "started")

    monkeypatch.setitem(sys.modules, "uvloop", ModuleType("uvloop"))  # nothing in it yet
    assert run(get(app)) == "started"


def test_addresses(run: Any, tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await answer(send, "")

    async def main() -> None:
        path = str(tmp_path / "server.sock")
        async with serving(app, unix_socket=path) as server:
            (host, port), unix = server.addresses
            assert (host, unix) == ("127.0.0.1", path)
            assert 0 < port < 65536
        assert not Path(path).exists()

    run(main())


def test_serve_raises_what_prevents_it(run: Any) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})

    async def main() -> None:
        async with serving(app) as first:
            taken = cppasgi.Server(app, port=first.addresses[0][1], lifespan="off")
            with pytest.raises(cppasgi.ListenError, match="Address already in use"):
                await taken.serve()
        failing = cppasgi.Server(app, port=0, lifespan="on")
        task = asyncio.create_task(failing.serve())
        with pytest.raises(RuntimeError):
            await failing.started()
        with pytest.raises(cppasgi.LifespanError, match="no database"):
            await task

    run(main())


def test_cancelled_serve_stops_the_server(run: Any) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    seen: list[str] = []

    async def main() -> None:
        server = cppasgi.Server(app, port=0, lifespan="off")
        task = asyncio.create_task(server.serve())
        await server.started()
        client = await Client.open(server)
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        data = await client.reader.read()
        assert not data or data.startswith(b"HTTP/1.1 503 ")
        await client.close()
        with pytest.raises(ConnectionRefusedError):
            await Client.open(server)

    run(main())
    assert seen == ["cancelled"]


def test_run_in_a_thread() -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await answer(send, threading.current_thread().name)

    async def fetch() -> bytes:
        client = await Client.open(server)
        body = (await client.get())[1]
        await client.close()
        return body

    ready = threading.Event()
    server = cppasgi.Server(app, port=0, lifespan="off", ready_callable=ready.set)
    thread = threading.Thread(target=server.run, name="server thread")
    thread.start()
    assert ready.wait(10)
    assert asyncio.run(fetch()) == b"server thread"
    server.shutdown()
    thread.join(10)
    assert not thread.is_alive()
