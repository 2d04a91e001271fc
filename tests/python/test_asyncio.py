"""What asyncio promises an application: its tasks, their contexts and their cancellation."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from in_process import Client, Scope, answer, get, run, serving
from wire import CLOSE, TEXT, close_payload, frame

__all__ = ["run"]


def test_an_application_call_is_a_real_task(run: Any) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        task = asyncio.current_task()
        assert task in asyncio.all_tasks()
        assert repr(task)
        assert task is not None
        assert task.get_stack() is not None
        async with asyncio.timeout(5) if hasattr(asyncio, "timeout") else nothing():
            await asyncio.sleep(0)
        tasks.append(task)
        await answer(send, type(task).__name__)

    tasks: list[Any] = []
    assert run(get(app)) == "Task"
    assert isinstance(tasks[0], asyncio.Task)
    assert tasks[0].done()
    assert tasks[0].exception() is None


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    yield


def test_task_factory_of_the_program_is_used(run: Any) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await answer(send, str(asyncio.current_task() in made))

    made: list[Any] = []

    def factory(loop: Any, coroutine: Any, **options: Any) -> Any:
        made.append(asyncio.Task(coroutine, loop=loop, **options))
        return made[-1]

    async def main() -> str:
        asyncio.get_running_loop().set_task_factory(factory)
        try:
            return await get(app)
        finally:
            asyncio.get_running_loop().set_task_factory(None)

    assert run(main()) == "True"


def test_context_variables_are_each_requests_own(run: Any) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        before = variable.get()
        variable.set(scope["path"])
        await receive()
        await asyncio.sleep(0.01)
        await answer(send, f"{before} {variable.get()}")

    async def main() -> None:
        async with serving(app) as server:

            async def talk(number: int) -> None:
                client = await Client.open(server)
                for turn in range(3):  # On one connection too.
                    path = f"/{number}/{turn}"
                    assert (await client.get(path))[1].decode() == f"unset {path}"
                await client.close()

            await asyncio.gather(*(talk(number) for number in range(20)))
        assert variable.get() == "unset"

    run(main())


def test_context_of_one_request_never_reaches_the_next(run: Any) -> None:
    """Whatever asked for the batch in which a request starts: here another one's response."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        before = variable.get()
        variable.set(scope["path"])
        await asyncio.sleep(0.001)
        await answer(send, before)

    async def main() -> list[str]:
        async with serving(app) as server:
            client = await Client.open(server)
            client.send("".join(f"GET /{n} HTTP/1.1\r\nHost: test\r\n\r\n" for n in range(5)))
            found = [(await client.response())[1].decode() for _ in range(5)]
            await client.close()
            return found

    assert run(main()) == ["unset"] * 5


def test_time_limit_on_receive_loses_no_message(run: Any) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for _ in range(20):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(receive(), 0.005)
        await send({"type": "websocket.send", "text": "go"})
        got = []
        while len(got) < 50:
            with suppress(asyncio.TimeoutError):
                got.append((await asyncio.wait_for(receive(), 0.001))["text"])
        await send({"type": "websocket.send", "text": " ".join(got)})

    async def main() -> str:
        async with serving(app) as server:
            client = await Client.open(server)
            await client.upgrade()
            assert await client.read_text() == "go"
            for number in range(50):
                client.send(frame(TEXT, str(number % 2)))
                await asyncio.sleep(0.0007 * (number % 3))
            text = await client.read_text()
            await client.close()
            return text

    assert run(main()) == " ".join(str(number % 2) for number in range(50))


def test_cancelling_a_task_of_the_application(run: Any) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        listener = asyncio.create_task(receive())
        await asyncio.sleep(0.02)
        listener.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listener
        await answer(send, str(listener.cancelled()))

    assert run(get(app)) == "True"


def test_application_that_cancels_itself(run: Any) -> None:
    """Not an answer, so the client gets a 500 or a cut, and the server lives."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["path"] == "/cancel":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(1)
        await answer(send, "fine")

    async def main() -> None:
        async with serving(app) as server:
            client = await Client.open(server)
            client.send("GET /cancel HTTP/1.1\r\nHost: test\r\n\r\n")
            head = await client.reader.read()
            assert not head or head.startswith(b"HTTP/1.1 500 ")
            await client.close()
            client = await Client.open(server)
            assert (await client.get())[1] == b"fine"
            await client.close()

    run(main())


def test_two_concurrent_receives(run: Any) -> None:
    """One gets the message, the other waits on and gets the next."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        first, second = asyncio.create_task(receive()), asyncio.create_task(receive())
        done, pending = await asyncio.wait(
            {first, second}, return_when=asyncio.FIRST_COMPLETED, timeout=5
        )
        assert len(done) == 1
        assert len(pending) == 1
        one = done.pop().result()["text"]
        await send({"type": "websocket.send", "text": f"got {one}"})
        two = (await pending.pop())["text"]
        await send({"type": "websocket.send", "text": f"got {two}"})

    async def main() -> None:
        async with serving(app) as server:
            client = await Client.open(server)
            await client.upgrade()
            client.send(frame(TEXT, "one"))
            assert await client.read_text() == "got one"
            client.send(frame(TEXT, "two"))
            assert await client.read_text() == "got two"
            await client.close()

    run(main())


def test_receive_and_send_in_other_tasks(run: Any) -> None:
    """As Channels does: one task listens, another one sends, gather() and wait() hold both."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        queue: asyncio.Queue[Any] = asyncio.Queue()

        async def listen() -> None:
            while (message := await receive())["type"] != "websocket.disconnect":
                await queue.put(message["text"])
            await queue.put(None)

        async def talk() -> None:
            while (text := await queue.get()) is not None:
                await asyncio.ensure_future(send({"type": "websocket.send", "text": text.upper()}))
            ended.set()

        await asyncio.gather(listen(), talk())

    ended = asyncio.Event()

    async def main() -> None:
        async with serving(app) as server:
            client = await Client.open(server)
            await client.upgrade()
            for text in ("a", "b", "c"):
                client.send(frame(TEXT, text))
                assert await client.read_text() == text.upper()
            client.send(frame(CLOSE, close_payload(1000)))
            await asyncio.wait_for(ended.wait(), 5)
            await client.close()

    run(main())


def test_sync_to_async_and_async_to_sync(run: Any) -> None:
    """Django's bridge in both directions, down to send() and receive() from a thread."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        def in_thread() -> str:
            assert threading.current_thread() is not threading.main_thread()
            message = async_to_sync(receive)()
            async_to_sync(send)({"type": "http.response.start", "status": 200, "headers": []})
            body = {"type": "http.response.body", "body": b"part ", "more_body": True}
            async_to_sync(send)(body)
            return str(message["type"])

        kind = await sync_to_async(in_thread)()
        await send({"type": "http.response.body", "body": kind.encode()})

    async def main() -> bytes:
        async with serving(app) as server:
            client = await Client.open(server)
            client.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            data = await client.reader.read()
            await client.close()
            return data

    data = run(main())
    assert b"5\r\npart \r\n" in data
    assert b"http.request" in data


def test_application_is_any_callable_that_returns_an_awaitable(run: Any) -> None:
    class Instance:
        async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
            await answer(send, "instance")

    class Custom:
        def __init__(self, coroutine: Any) -> None:
            self.coroutine = coroutine

        def __await__(self) -> Any:
            return self.coroutine.__await__()

    def returns_a_future(scope: Scope, receive: Any, send: Any) -> Any:
        return asyncio.ensure_future(answer(send, "future"))

    def returns_an_awaitable(scope: Scope, receive: Any, send: Any) -> Any:
        return Custom(answer(send, "awaitable"))

    assert run(get(Instance())) == "instance"
    assert run(get(returns_a_future)) == "future"
    assert run(get(returns_an_awaitable)) == "awaitable"


def test_debug_mode_is_clean(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await receive()
            await send({"type": "websocket.send", "text": "reply"})
            await receive()
        else:
            await receive()
            await asyncio.sleep(0.01)
            await answer(send, "debug")

    async def main() -> None:
        asyncio.get_running_loop().set_debug(True)
        async with serving(app) as server:
            client = await Client.open(server)
            for _ in range(3):
                assert (await client.get())[1] == b"debug"
            await client.close()
            client = await Client.open(server)
            await client.upgrade()
            client.send(frame(TEXT, "x"))
            assert await client.read_text() == "reply"
            client.send(frame(CLOSE, close_payload(1000)))
            await client.reader.read()
            await client.close()

    run(main())
    problems = [r.getMessage() for r in caplog.records if r.levelname in ("WARNING", "ERROR")]
    assert [p for p in problems if not p.startswith("Executing ")] == []


def test_never_awaited_send_and_receive_are_harmless(run: Any) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        receive()
        await answer(send, "fine")

    assert run(get(app)) == "fine"


def test_references_are_given_back(run: Any) -> None:
    """What a request made is gone when it is over: no cycle waits for the collector."""
    import gc
    import weakref

    class Marker:
        pass

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        marker = Marker()
        markers.append(weakref.ref(marker))
        scope["marker"] = marker
        await receive()
        await asyncio.sleep(0)
        await answer(send, "")

    markers: list[Any] = []

    async def main() -> None:
        async with serving(app) as server:
            client = await Client.open(server)
            for _ in range(10):
                await client.get()
            await asyncio.sleep(0.05)
            assert [marker for marker in markers if marker() is not None] == []
            await client.close()

    gc.collect()
    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()
