"""What calls that go wrong leave behind: nothing, however their objects refer to each other.

TEST_FAILURES is how many there are of each kind (500).
"""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from garbage import FAILURES, check_that_nothing_is_left, collect
from in_process import Scope, run, serving  # noqa: F401 - run is a fixture
from wire import TEXT, Wire, frame, handshake

cppasgi = pytest.importorskip("cppasgi", reason="cppasgi is not installed in this environment")

WARM_UP = 200

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
END = {"type": "http.response.body"}
WRONG = {"type": "http.response.nonsense"}

Call = Callable[[Scope, Any, Any], Awaitable[None]]
Began: TypeAlias = threading.Semaphore
"""Released when a call has begun."""
Talk = Callable[[Wire, Began], None]

pytestmark = [
    pytest.mark.timeout(120 + FAILURES // 20),
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


# --- calls ---


def http(wire: Wire, began: Began) -> None:
    """A request whose answer doesn't matter."""
    with suppress(OSError, EOFError):
        wire.send(GET)
        wire.read_until(b"\r\n\r\n")


def http_and_leave(wire: Wire, began: Began) -> None:
    wire.send(GET)
    assert began.acquire(timeout=10)
    wire.reset()


def upgrade_and_leave(wire: Wire, began: Began) -> None:
    wire.send(handshake())
    wire.read_until(b"\r\n\r\n")
    wire.send(frame(TEXT, "go"))
    wire.reset()


async def until_left(receive: Any) -> None:
    while not (await receive())["type"].endswith("disconnect"):
        pass


async def wait_for_late_send(scope: Scope, receive: Any, send: Any) -> None:
    await until_left(receive)
    with pytest.raises(OSError, match="client has left"):
        await asyncio.wait_for(send(START), 5)


async def keep_late_send(scope: Scope, receive: Any, send: Any) -> None:
    await until_left(receive)
    awaitable = send(START)
    await awaitable


async def wait_for_receive(scope: Scope, receive: Any, send: Any) -> None:
    await receive()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(receive(), 0.0001)
    await send(START)
    await send(END)


async def keep_wrong_message(scope: Scope, receive: Any, send: Any) -> None:
    awaitable = send(WRONG)
    try:
        await awaitable
    except ValueError as error:
        kept = error
    await send(START)
    await send(END)
    raise kept


async def wait_for_wrong_message(scope: Scope, receive: Any, send: Any) -> None:
    await asyncio.wait_for(send(WRONG), 5)


class Failing:
    """An iterable that raises an exception of the test's."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __iter__(self) -> Iterator[Any]:
        raise self.error


async def never_await_what_failed(scope: Scope, receive: Any, send: Any) -> None:
    error: Any = LookupError("of the application")
    error.awaitable = send({**START, "headers": Failing(error)})
    await send(START)
    await send(END)


async def leave_receive_behind(scope: Scope, receive: Any, send: Any) -> None:
    await receive()
    asyncio.current_task().left = asyncio.create_task(receive())  # type: ignore[union-attr]
    await asyncio.sleep(0)
    await send(START)
    await send(END)


async def leave_cancelled_receive_behind(scope: Scope, receive: Any, send: Any) -> None:
    await receive()
    task: Any = asyncio.create_task(receive())
    task.me = task
    await asyncio.sleep(0)
    task.cancel()
    await send(START)
    await send(END)


async def raise_anything(scope: Scope, receive: Any, send: Any) -> None:
    awaitables = [send(START), receive()]
    raise LookupError("of the application", awaitables)


async def raise_itself(scope: Scope, receive: Any, send: Any) -> None:
    error: Any = LookupError("of the application")
    error.channels = receive, send
    error.error = error
    raise error


async def keep_in_scope(scope: Scope, receive: Any, send: Any) -> None:
    scope.update(scope=scope, receive=receive, send=send, waits=receive())
    await send(START)
    await send(END)


async def keep_in_task(scope: Scope, receive: Any, send: Any) -> None:
    task: Any = asyncio.current_task()
    task.kept = task, receive, send, task.get_coro()
    await send(START)
    await send(END)


class Keeper:
    """An application that is an object for each call, which knows itself."""

    def __init__(self, receive: Any, send: Any) -> None:
        self.me, self.receive, self.send = self, receive, send
        self.parked = [receive() for _ in range(3)]

    def __await__(self) -> Any:
        yield from self.send(START).__await__()
        yield from self.send(END).__await__()


async def keep_in_itself(scope: Scope, receive: Any, send: Any) -> None:
    await Keeper(receive, send)


async def listen_and_send_on(scope: Scope, receive: Any, send: Any) -> None:
    """As Channels: a task listens, and sending goes on when the client has left."""
    await receive()
    await send({"type": "websocket.accept"})
    listener: Any = asyncio.create_task(until_left(receive))
    listener.kept = receive, send, listener
    await listener
    while True:
        awaitable = send({"type": "websocket.send", "text": "late"})
        await awaitable


KINDS: list[tuple[Call, Talk]] = [
    (wait_for_late_send, http_and_leave),
    (keep_late_send, http_and_leave),
    (wait_for_receive, http),
    (keep_wrong_message, http),
    (wait_for_wrong_message, http),
    (never_await_what_failed, http),
    (leave_receive_behind, http),
    (leave_cancelled_receive_behind, http),
    (raise_anything, http),
    (raise_itself, http),
    (keep_in_scope, http),
    (keep_in_task, http),
    (keep_in_itself, http),
    (listen_and_send_on, upgrade_and_leave),
]


async def fail_repeatedly(call: Call, client: Talk) -> None:
    """Calls go wrong: first a few, which fill caches, then many, of which nothing may be left."""
    ended = 0
    began = threading.Semaphore(0)

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        nonlocal ended
        began.release()
        try:
            await call(scope, receive, send)
        finally:
            ended += 1

    def clients(address: Any, count: int) -> None:
        for _ in range(count):
            with Wire.open(address) as wire:
                client(wire, began)

    async with serving(app, timeout_after_disconnect=0.001) as server:

        async def fail(count: int) -> None:
            nonlocal ended
            ended = 0
            await asyncio.to_thread(clients, server.addresses[0], count)
            end = time.monotonic() + 30
            while ended < count or server.connections or server.running_applications:
                assert time.monotonic() < end, f"{ended} of {count} calls have ended"
                await asyncio.sleep(0.01)

        await fail(WARM_UP)
        await check_that_nothing_is_left(lambda: fail(FAILURES))


@pytest.mark.parametrize(
    ("call", "client"), [pytest.param(*kind, id=kind[0].__name__) for kind in KINDS]
)
def test_failed_calls_leave_nothing(
    run: Any,  # noqa: F811
    call: Call,
    client: Talk,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("CRITICAL"):
        run(fail_repeatedly(call, client), 100 + FAILURES / 20)


def test_synchronous_consumers_that_send_too_late_leave_nothing(
    run: Any,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Their exception comes out of asgiref, which keeps the awaitable in a local variable."""
    pytest.importorskip("channels")
    import django.conf

    if not django.conf.settings.configured:
        django.conf.settings.configure(CHANNEL_LAYERS={})
    from channels.generic.websocket import WebsocketConsumer

    class Consumer(WebsocketConsumer):  # type: ignore[misc]
        def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            end = time.monotonic() + 30
            while time.monotonic() < end:  # at first they are dropped in silence
                self.send(text_data="late")

    with caplog.at_level("CRITICAL"):
        run(fail_repeatedly(Consumer.as_asgi(), upgrade_and_leave), 100 + FAILURES / 20)


# --- who still waits ---


def test_a_task_that_only_the_server_knows_hears_of_the_end(
    run: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Its call has returned, but the client hasn't left: it is no garbage yet."""
    path = tmp_path / "large"
    path.write_bytes(bytes(32 << 20))
    heard: list[str] = []

    async def listen(receive: Any) -> None:
        message: Any = {"type": "none"}
        while message["type"] != "http.disconnect":
            message = await receive()
        heard.append(message["type"])

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        asyncio.ensure_future(listen(receive))  # noqa: RUF006 - that is what it is about
        await send({**START, "headers": []})
        send({"type": "http.response.pathsend", "path": str(path)})

    async def main() -> None:
        async with serving(app, sendfile=True) as server:
            with Wire.open(server.addresses[0]) as wire:
                wire.send(GET)
                await asyncio.sleep(0.1)
                assert server.running_applications == 0
                collect()
                await asyncio.sleep(0.01)
                assert not heard
            end = time.monotonic() + 10
            while not heard and time.monotonic() < end:
                await asyncio.sleep(0.01)
        assert heard == ["http.disconnect"]

    run(main())


# --- servers ---


@pytest.mark.parametrize("close", [True, False], ids=["closed", "dropped"])
def test_a_server_that_its_application_knows_is_freed(run: Any, close: bool) -> None:  # noqa: F811
    async def main() -> None:
        options = cppasgi._native.ServerOptions()
        loop = asyncio.get_running_loop()

        class Application:
            async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
                pass

        application: Any = Application()
        application.server = cppasgi._native.Server(application, loop, options, str)
        application.server.start({"server": application.server})
        if close:
            application.server.close()
        freed = weakref.ref(application.server)
        del application
        gc.collect()
        assert freed() is None

    run(main())


CALLS = 20
"""Calls that run when their server is closed."""


def test_servers_that_close_while_calls_run_leave_nothing(
    run: Any,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever the calls wait for; asyncio says of them that they were destroyed."""

    async def one() -> None:
        running = 0

        async def app(scope: Scope, receive: Any, send: Any) -> None:
            nonlocal running
            running += 1
            kept: Any = [receive, send, server]
            kept.append(kept)
            await receive()
            if running % 3 == 0:
                await receive()
            elif running % 3 == 1:
                await asyncio.wait([asyncio.ensure_future(receive())])
            else:
                await asyncio.get_running_loop().create_future()

        server = cppasgi._native.Server(
            app, asyncio.get_running_loop(), cppasgi._native.ServerOptions(), str
        )
        listener = socket.create_server(("127.0.0.1", 0))
        server.bind_fd(listener.fileno())
        server.start()
        wires = [Wire.open(listener.getsockname()) for _ in range(CALLS)]
        for wire in wires:
            wire.send(GET)
        while running < CALLS:
            await asyncio.sleep(0.001)
        server.close()
        for wire in wires:
            wire.close()
        listener.close()
        await asyncio.sleep(0.001)  # what was asked of the loop before that

    async def main() -> None:
        async def fail(count: int) -> None:
            for _ in range(count // CALLS):
                await one()

        await fail(WARM_UP)
        await check_that_nothing_is_left(lambda: fail(FAILURES))

    with caplog.at_level("CRITICAL"):
        run(main(), 100 + FAILURES / 20)
