"""Task groups, time limits, threads and locals of others around the server's send() and receive().

What asyncio alone promises is in test_asyncio.py; here: anyio, asgiref, asyncio's newer tools.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
from asgiref.local import Local
from asgiref.sync import sync_to_async
from conftest import StartServer
from in_process import Client, answer, get, run, serving  # noqa: F401 (run is a fixture)
from wire import CLOSE, TEXT, close_payload


async def post(app: Any, *pieces: bytes) -> bytes:
    """One POST whose content comes in pieces, a moment apart; returns all that comes back."""
    async with serving(app) as server:
        client = await Client.open(server)
        size = sum(map(len, pieces))
        client.send(
            f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
        )
        for piece in pieces:
            await asyncio.sleep(0.05)
            client.send(piece)
        data = await client.reader.read()
        await client.close()
    return data


def test_anyio_task_group_streams(run: Any) -> None:  # noqa: F811
    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def tick() -> None:
            for _ in range(3):
                await send({"type": "http.response.body", "body": b"tick", "more_body": True})
                await anyio.sleep(0.001)

        await send({"type": "http.response.start", "status": 200, "headers": []})
        async with anyio.create_task_group() as group:
            group.start_soon(tick)
            group.start_soon(tick)
        await send({"type": "http.response.body"})

    assert run(post(app)).count(b"tick") == 6


def test_anyio_cancel_scope_around_receive_loses_no_message(run: Any) -> None:  # noqa: F811
    async def app(scope: Any, receive: Any, send: Any) -> None:
        content, timeouts, more = b"", 0, True
        while more:
            with anyio.move_on_after(0.01) as limit:
                message = await receive()
                content += message["body"]
                more = message["more_body"]
            timeouts += limit.cancelled_caught
        assert timeouts > 0
        await answer(send, content.decode())

    assert run(post(app, b"one ", b"two ", b"three")).endswith(b"one two three")


def test_anyio_cancels_who_listens_for_a_disconnect(run: Any) -> None:  # noqa: F811
    """As Starlette's streaming does: one task sends, another listens, the first ends both."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async with anyio.create_task_group() as group:

            async def listen() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass

            group.start_soon(listen)
            await anyio.sleep(0.01)
            await answer(send, "sent")
            group.cancel_scope.cancel()

    assert run(get(app)) == "sent"


def test_anyio_sends_from_a_thread(run: Any) -> None:  # noqa: F811
    async def app(scope: Any, receive: Any, send: Any) -> None:
        def in_thread() -> None:
            assert threading.current_thread() is not threading.main_thread()
            message = anyio.from_thread.run(receive)
            anyio.from_thread.run(answer, send, message["type"])

        await anyio.to_thread.run_sync(in_thread)

    assert run(get(app)) == "http.request"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.TaskGroup is of 3.11")
def test_asyncio_task_group_cancels_a_waiting_receive(run: Any) -> None:  # noqa: F811
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

        async def fail() -> None:
            await asyncio.sleep(0.01)
            raise LookupError

        try:
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(receive())
                group.create_task(fail())
        except BaseException as error:
            await answer(send, f"{type(error).__name__} {waiting.cancelled()}")

    assert run(get(app)) == "ExceptionGroup True"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are of 3.12")
def test_eager_tasks(run: Any) -> None:  # noqa: F811
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await asyncio.create_task(asyncio.sleep(0))
        await answer(send, "eager")

    async def main() -> str:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        try:
            return await get(app)
        finally:
            asyncio.get_running_loop().set_task_factory(None)

    assert run(main()) == "eager"


def test_asgiref_local_and_thread_sensitive_code(run: Any) -> None:  # noqa: F811
    """Each request has its own Local, down into threads; all thread-sensitive code is in one."""
    local = Local()
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        fresh = not hasattr(local, "path")
        local.path = scope["path"]
        variable.set(scope["path"])
        await receive()

        def in_thread() -> str:
            threads.add(threading.get_ident())
            same = local.path == variable.get() == scope["path"]
            local.path = "set in the thread"
            variable.set("set in the thread")
            return f"{fresh} {same}"

        found = await sync_to_async(in_thread)()
        await asyncio.sleep(0)
        kept = local.path == variable.get() == "set in the thread"
        await answer(send, f"{found} {kept}")

    async def main() -> None:
        async with serving(app) as server:

            async def talk(number: int) -> None:
                client = await Client.open(server)
                for turn in range(3):
                    status, body = await client.get(f"/{number}/{turn}")
                    assert (status, body) == (200, b"True True True")
                await client.close()

            await asyncio.gather(*(talk(number) for number in range(10)))

    threads: set[int] = set()
    run(main())
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_asyncio_run_embeds_a_server() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, "embedded")

    assert asyncio.run(get(app)) == "embedded"


@pytest.mark.parametrize("loop", ["asyncio", "native", "uvloop"])
def test_debug_mode_from_the_environment(server: StartServer, loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    process = server(
        "apps.probe:app",
        "--loop",
        loop,
        env={"PYTHONASYNCIODEBUG": "1", "PYTHONWARNINGS": "default"},
    )
    with process.connect() as wire:
        assert wire.get("/").body == b"hello"
        assert wire.upgrade("/echo/any").status == 101
        wire.send_frame(TEXT, "text")
        wire.read_frame()
        wire.send_frame(CLOSE, close_payload(1000))
        wire.read_close()
    assert process.stop() == 0
    for word in ("Warning", "Traceback", "never awaited", "never retrieved"):
        assert word not in process.log()
