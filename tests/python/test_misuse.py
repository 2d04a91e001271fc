"""Applications that reach into the machinery: the server lives on, whatever it is asked.

What these tests look for is memory that is used after it was freed, so they say most when the
extension is sanitized (scripts/test).
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import time
from contextlib import suppress
from typing import Any

import pytest
from in_process import Client, Scope, answer, run, serving  # noqa: F401 - run is a fixture
from wire import Wire

cppasgi = pytest.importorskip("cppasgi", reason="cppasgi is not installed in this environment")

GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"


async def exchange(server: Any, request: str | bytes) -> bytes:
    """The first of what a client gets for its request."""
    client = await Client.open(server)
    try:
        client.send(request)
        return await asyncio.wait_for(client.reader.read(1 << 16), 10)
    finally:
        client.writer.close()
        with suppress(OSError):
            await client.writer.wait_closed()


async def is_alive(server: Any, state: dict[str, Any]) -> bool:
    """Does a well-behaved request still get its answer?"""
    state["well"] = True
    client = await Client.open(server)
    status, body = await client.get()
    await client.close()
    return status == 200 and body == b"well"


def served(app: Any) -> tuple[Any, dict[str, Any]]:
    """The application, which from `is_alive` on answers as it should."""
    state: dict[str, Any] = {"well": False}

    def call(scope: Scope, receive: Any, send: Any) -> Any:
        return answer(send, "well") if state["well"] else app(scope, receive, send)

    return call, state


def ask(run: Any, app: Any, request: str | bytes = GET, **options: Any) -> bytes:  # noqa: F811
    """One request to an application that misbehaves, and one after it that doesn't."""
    call, state = served(app)

    async def main() -> bytes:
        async with serving(call, **options) as server:
            found = await exchange(server, request)
            assert await is_alive(server, state)
            return found

    return bytes(run(main()))


def coroutine_of(task: Any) -> Any:
    """What the task steps: the server's, which steps the application's."""
    return task.get_coro()


# --- a call that is stepped by others ---


@pytest.mark.parametrize("how", ["send", "throw", "close"])
def test_an_application_that_steps_itself(run: Any, how: str) -> None:  # noqa: F811
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        call = coroutine_of(asyncio.current_task())
        arguments = {"send": (None,), "throw": (LookupError(),), "close": ()}[how]
        for _ in range(3):
            with pytest.raises(ValueError, match="already executing"):
                getattr(call, how)(*arguments)
            gc.collect()
        await answer(send, "stepped")

    assert ask(run, app).endswith(b"stepped")


def test_an_application_that_steps_itself_before_it_is_a_coroutine(run: Any) -> None:  # noqa: F811
    tasks: list[Any] = []

    def app(scope: Scope, receive: Any, send: Any) -> Any:
        task = asyncio.current_task()
        if task not in tasks and hasattr(task, "get_coro"):
            tasks.append(task)
            for step in ("send", "close"):
                with pytest.raises(ValueError, match="already executing"):
                    getattr(coroutine_of(task), step)(*[None][: step == "send"])
        return answer(send, "once")

    assert ask(run, app).endswith(b"once")


def test_a_task_that_steps_another_to_its_end(run: Any) -> None:  # noqa: F811
    """The task that is passed over finds a coroutine that has ended, as with any coroutine."""
    ended: list[Any] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        task: Any = asyncio.current_task()

        async def step() -> None:
            while True:
                try:
                    coroutine_of(task).send(None)
                except StopIteration:
                    break
                await asyncio.sleep(0)
            ended.append(task)

        other = asyncio.ensure_future(step())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await answer(send, "passed")
        ended.append(other)

    assert ask(run, app).endswith(b"passed")
    with suppress(RuntimeError):
        next(task for task in ended if task is not None).exception()


@pytest.mark.parametrize("how", ["throw", "close"])
def test_a_task_that_ends_another(run: Any, how: str) -> None:  # noqa: F811
    """Its client gets the 500 of an application that failed, and the server doesn't wait for it."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        task: Any = asyncio.current_task()

        def end() -> None:
            call = coroutine_of(task)
            with suppress(StopIteration):
                call.throw(LookupError("of another task")) if how == "throw" else call.close()
            call.close()
            for _ in range(2):
                with pytest.raises(RuntimeError, match="cannot reuse"):
                    call.send(None)

        asyncio.get_running_loop().call_soon(end)
        await asyncio.get_running_loop().create_future()

    call, state = served(app)

    async def main() -> bytes:
        async with serving(call) as server:
            client = await Client.open(server)
            client.send(GET)
            head = await asyncio.wait_for(client.reader.readuntil(b"\r\n"), 10)
            await client.close()
            assert server.running_applications == 0
            assert await is_alive(server, state)
            return head

    assert b" 500 " in run(main())


def test_closed_before_its_first_step(run: Any) -> None:  # noqa: F811
    """By a task factory, which gives something else."""

    def factory(loop: Any, coroutine: Any, **options: Any) -> Any:
        if type(coroutine).__name__ == "ApplicationCall" and not state["well"]:
            coroutine.close()
            coroutine.close()
            return loop.create_future()
        return asyncio.Task(coroutine, loop=loop, **options)

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        raise AssertionError("never called")

    call, state = served(app)

    async def main() -> bytes:
        asyncio.get_running_loop().set_task_factory(factory)
        async with serving(call) as server:
            client = await Client.open(server)
            client.send(GET)
            head = await asyncio.wait_for(client.reader.readuntil(b"\r\n"), 10)
            await client.close()
            assert await is_alive(server, state)
            return head

    assert b" 500 " in run(main())


def test_a_thread_that_steps_a_running_application(run: Any) -> None:  # noqa: F811
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        call, found, over = coroutine_of(asyncio.current_task()), [], threading.Event()

        def step() -> None:
            for arguments in ((None,), (1,)):
                try:
                    call.send(*arguments)
                except ValueError as error:
                    found.append(str(error))
            over.set()

        threading.Thread(target=step).start()
        while not over.is_set():
            pass  # the interpreter goes to the other thread in between
        await answer(send, " ".join(found))

    assert ask(run, app).count(b"already executing") == 2


@pytest.mark.parametrize("give", [7, "text", [], None], ids=repr)
def test_applications_that_return_anything(run: Any, give: Any) -> None:  # noqa: F811
    class Odd:
        def __await__(self) -> Any:
            return give

    for app in (lambda *_: give, lambda *_: Odd()):
        assert b" 500 " in ask(run, app)


class Endless:
    """An iterator without throw() and close(), which waits for ever."""

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> None:
        return None


def test_an_awaitable_that_can_not_be_thrown_into(run: Any) -> None:  # noqa: F811
    def app(scope: Scope, receive: Any, send: Any) -> Any:
        task: Any = asyncio.current_task()
        asyncio.get_running_loop().call_later(0.01, task.cancel)
        return Endless()

    assert b" 500 " in ask(run, app)


# --- threads ---


@pytest.mark.parametrize("how", ["awaited in the loop", "never awaited", "awaited in the thread"])
def test_what_another_thread_sends_leaves_at_once(run: Any, how: str) -> None:  # noqa: F811
    """send() does what it does when it is called, wherever that is, though the loop waits."""
    late: list[bytes] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        loop = asyncio.get_running_loop()

        async def await_it(awaitable: Any) -> None:
            await awaitable

        def send_here(message: dict[str, Any]) -> None:
            if how == "awaited in the loop":
                asyncio.run_coroutine_threadsafe(send(message), loop).result(5)
            elif how == "awaited in the thread":
                asyncio.run(await_it(send(message)))
            else:
                send(message)

        def talk() -> None:
            wire.sock.settimeout(1.5)
            for number in range(4):
                time.sleep(0.02)  # until the loop waits
                piece = b"<%d>" % number
                send_here({"type": "http.response.body", "body": piece, "more_body": True})
                try:
                    wire.read_until(piece)
                except TimeoutError:
                    late.append(piece)
                    break
            loop.call_soon_threadsafe(over.set)

        await send({"type": "http.response.start", "status": 200, "headers": []})
        threading.Thread(target=talk).start()
        await over.wait()

    async def main() -> None:
        nonlocal wire, over
        over = asyncio.Event()
        async with serving(app, slow_callback=0, application_close_timeout=0) as server:
            with Wire.open(server.addresses[0]) as wire:
                wire.send(GET)
                await over.wait()

    wire: Any = None
    over: Any = None
    run(main())
    assert late == []


# --- what receive() and send() return, by hand ---


def test_waits_that_are_handled_as_futures(run: Any) -> None:  # noqa: F811
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        called: list[Any] = []
        waits = [receive() for _ in range(8)]
        kind: Any = type(waits[0])
        with pytest.raises(TypeError):
            kind()
        for wait in waits:
            assert wait.send(None) is wait
            assert wait._asyncio_future_blocking is True
            wait._asyncio_future_blocking = False
            with pytest.raises((AttributeError, TypeError)):
                del wait._asyncio_future_blocking
            with pytest.raises(AttributeError):
                wait.anything = 1
            with pytest.raises(TypeError):
                wait.add_done_callback()
            with pytest.raises(RuntimeError, match="not there yet"):
                wait.result()
        context = contextvars.copy_context()
        waits[0].add_done_callback(called.append)
        waits[1].add_done_callback(called.append, context=None)
        waits[2].add_done_callback(called.append, context="no context")
        waits[3].add_done_callback(lambda wait: waits.clear(), context=context)
        waits[4].add_done_callback(list.append)
        with pytest.raises(RuntimeError, match="awaited already"):
            waits[0].add_done_callback(called.append)
        assert waits[5].cancel("message")
        assert not waits[5].cancel()
        with pytest.raises(asyncio.CancelledError, match="message"):
            waits[5].send(None)
        waits[6].close()
        with pytest.raises(asyncio.CancelledError):
            waits[6].result()
        with pytest.raises(LookupError):
            waits[7].throw(LookupError("into a wait"))
        assert waits[0].get_loop() is asyncio.get_running_loop()
        await answer(send, "handled")
        await asyncio.sleep(0.05)

    call, state = served(app)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: problems.append(context["exception"]))
        async with serving(call) as server:
            client = await Client.open(server)
            assert (await client.get())[1] == b"handled"
            await asyncio.sleep(0.1)
            await client.close()
            assert await is_alive(server, state)

    problems: list[Any] = []
    run(main())
    assert all(isinstance(problem, TypeError) for problem in problems)


def test_awaiting_twice_is_an_error(run: Any) -> None:  # noqa: F811
    """As with a coroutine; only None may be had as often as anybody likes."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        for awaitable in (receive(), send({"type": "nonsense"})):
            with suppress(ValueError):
                await awaitable
            with pytest.raises(RuntimeError, match="awaited already"):
                await awaitable
        waiting = receive()
        task = asyncio.ensure_future(waiting)
        await answer(send, "once")
        assert (await task)["type"] == "http.disconnect"
        with pytest.raises(RuntimeError, match="awaited already"):
            await waiting
        told.append(True)

    told: list[bool] = []
    assert ask(run, app).endswith(b"once")
    assert told
