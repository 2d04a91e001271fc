"""Random applications that keep, reorder, cancel and cross what the server gave them.

`/hostile/SEED`, over HTTP or WebSocket, does what the seed says with the `receive` and `send` of
its own call and of others: between requests, tasks and threads, twice, late, by hand, or never.
`/well/TEXT` is an application as it should be. `/left` ends what the others have left behind and
tells which objects of the server are still there.
"""

from __future__ import annotations

import asyncio
import gc
import random
import threading
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from apps.reports import text

LONGEST_CALL = 1.0
"""Seconds that a hostile call takes at most."""
MOST_KEPT = 100
"""Channels, awaitables and tasks that are kept of calls before."""

_channels: deque[tuple[Any, Any]] = deque(maxlen=MOST_KEPT)
_awaitables: deque[Any] = deque(maxlen=MOST_KEPT)
_tasks: deque[Any] = deque(maxlen=MOST_KEPT)
_threads: set[threading.Thread] = set()
_running: set[asyncio.Task[Any]] = set()

BODIES = [b"", b"a", b"b" * 1000, b"c" * 70_000, bytearray(b"d" * 20_000), memoryview(b"e" * 99)]
HEADERS: list[Any] = [
    [],
    [(b"x-a", b"1")],
    [[b"content-length", b"1000"]],
    ((name, b"v") for name in (b"x-generated", b"x-b")),
    [(b"bad name", b"1")],
    [(b"connection", b"close")],
]


class Unusual(BaseException):
    """What `except Exception` doesn't catch."""


class Nested:
    """Headers, a flag or a number that does something else first."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act

    def __iter__(self) -> Any:
        self.act()
        return iter([(b"x-nested", b"1")])

    def __bool__(self) -> bool:
        self.act()
        return True

    def __index__(self) -> int:
        self.act()
        return 200


class Knot:
    """Does something when it is collected, at a moment that nobody chose."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.me, self.act = self, act

    def __del__(self) -> None:
        self.act()


class Hostile:
    """One call's script."""

    def __init__(self, seed: str, receive: Any, send: Any) -> None:
        self.random = random.Random(seed)
        self.receive, self.send = receive, send

    # --- what it does things with ---

    def channels(self) -> tuple[Any, Any]:
        """Mostly its own."""
        if _channels and self.random.random() < 0.3:
            return self.random.choice(_channels)
        return self.receive, self.send

    def message(self) -> Any:
        choice = self.random.choice
        headers = choice([*HEADERS, Nested(self.act)])
        more = choice([True, True, False, Nested(self.act)])
        status = choice([200, 200, 204, 404, 99, Nested(self.act)])
        return choice(
            [
                {"type": "http.response.start", "status": status, "headers": headers},
                {"type": "http.response.body", "body": choice(BODIES), "more_body": more},
                {"type": "http.response.body", "body": choice(BODIES), "more_body": more},
                {"type": "http.response.body"},
                {"type": "http.response.early_hint", "links": [b"</a>"]},
                {"type": "http.response.trailers", "headers": headers, "more_trailers": more},
                {"type": "http.response.pathsend", "path": __file__},
                {"type": "websocket.accept", "headers": headers},
                {"type": "websocket.send", "text": choice(["", "t", "\u00e4" * 5000])},
                {"type": "websocket.send", "bytes": choice(BODIES)},
                {"type": "websocket.close", "code": choice([1000, 3000, 7]), "reason": "r"},
                {"type": "websocket.http.response.start", "status": status, "headers": headers},
                {"type": "websocket.http.response.body", "body": b"no", "more_body": more},
                {"type": "nonsense"},
                None,
            ]
        )

    def awaitable(self) -> Any:
        """A new one, or one that somebody else has, and maybe awaits or has awaited."""
        if _awaitables and self.random.random() < 0.3:
            return self.random.choice(_awaitables)
        receive, send = self.channels()
        made = receive() if self.random.random() < 0.5 else send(self.message())
        if self.random.random() < 0.5:
            _awaitables.append(made)
        return made

    # --- what it does at once, from anywhere ---

    def act(self) -> None:
        """One thing that needs no awaiting. Raises nothing."""
        in_loop = threading.current_thread() is threading.main_thread()
        name = self.random.choice(self.ACTS) if in_loop else "call"  # as asyncio asks of threads
        with suppress(Exception, asyncio.CancelledError, Unusual):
            getattr(self, name)()

    def call(self) -> None:
        self.awaitable()

    def step(self) -> None:
        awaitable = self.awaitable()
        how = self.random.choice(["send", "throw", "close", "cancel", "result"])
        if how == "send":
            awaitable.send(None)
        elif how == "throw":
            awaitable.throw(self.random.choice([ValueError, asyncio.CancelledError, Unusual])())
        else:
            getattr(awaitable, how)()

    def call_back(self) -> None:
        self.awaitable().add_done_callback(lambda _: self.act())

    def cancel(self) -> None:
        if _tasks:
            self.random.choice(_tasks).cancel()

    def step_another(self) -> None:
        """A task of the server's, maybe the one that runs."""
        task = self.random.choice(list(_running))
        call = task.get_coro()
        how = self.random.choice(["send", "throw", "close", "none", "none"])
        if how == "send":
            call.send(None)
        elif how == "throw":
            call.throw(LookupError("into a call"))
        elif how == "close":
            call.close()

    def start(self) -> None:
        _tasks.append(asyncio.ensure_future(self.awaitable()))

    def start_others(self) -> None:
        _tasks.append(asyncio.gather(self.awaitable(), self.awaitable(), return_exceptions=True))

    def tie(self) -> None:
        Knot(self.act)

    def collect(self) -> None:
        gc.collect(self.random.choice([0, 1]))

    def keep(self) -> None:
        _channels.append((self.receive, self.send))

    def let_go(self) -> None:
        self.random.choice([_channels, _awaitables, _tasks]).clear()

    def use_a_thread(self) -> None:
        loop = asyncio.get_running_loop()
        how = self.random.choice(["call", "soon", "run", "act"])

        def work() -> None:
            with suppress(Exception, asyncio.CancelledError):
                if how == "call":
                    self.awaitable()
                elif how == "soon":
                    loop.call_soon_threadsafe(self.act)
                elif how == "run":
                    future = asyncio.run_coroutine_threadsafe(self.awaitable(), loop)
                    future.result(0.05)
                else:
                    self.awaitable().send(None)
            _threads.discard(thread)

        thread = threading.Thread(target=work)
        if len(_threads) < 20:
            _threads.add(thread)
            thread.start()

    ACTS = (
        *("call", "step", "call_back", "cancel", "start", "start", "start_others", "tie"),
        *("collect", "keep", "use_a_thread", "let_go", "step_another"),
    )

    # --- what it awaits ---

    async def wait(self) -> None:
        await asyncio.wait_for(self.awaitable(), self.random.choice([0, 0.001, 0.05]))

    async def wait_plainly(self) -> None:
        await self.awaitable()

    async def wait_for_any(self) -> None:
        others = [asyncio.ensure_future(self.awaitable()) for _ in range(3)]
        _tasks.extend(others)
        await asyncio.wait(others, timeout=0.02, return_when=asyncio.FIRST_COMPLETED)

    async def pause(self) -> None:
        await asyncio.sleep(self.random.choice([0, 0, 0.001, 0.01]))

    async def behave(self) -> None:
        """Some steps as they should be, so that what follows meets an exchange that is open."""
        message = await asyncio.wait_for(self.receive(), 0.1)
        if message["type"] == "websocket.connect":
            await self.send({"type": "websocket.accept"})
        elif message["type"] == "http.request":
            await self.send({"type": "http.response.start", "status": 200, "headers": []})
            await self.send({"type": "http.response.body", "body": b"begun", "more_body": True})

    WAITS = ("wait", "wait", "wait_plainly", "wait_for_any", "pause", "pause")

    async def run(self) -> None:
        if self.random.random() < 0.7:
            with suppress(Exception):
                await self.behave()
        for _ in range(self.random.randrange(12)):
            if self.random.random() < 0.5:
                self.act()
            else:
                with suppress(Exception):
                    await getattr(self, self.random.choice(self.WAITS))()
        end = self.random.random()
        if end < 0.1:
            raise LookupError("hostile", self, self.receive, self.send)
        if end < 0.15:
            raise asyncio.CancelledError
        if end < 0.2:
            raise Unusual


async def end_all() -> None:
    """Ends what hostile calls have left behind."""
    for thread in list(_threads):
        await asyncio.to_thread(thread.join)
    for _ in range(3):
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in {*_tasks, *(task for task in tasks if task not in _servers)}:
            task.cancel()
        await asyncio.sleep(0.01)
    for kept in (_channels, _awaitables, _tasks):
        kept.clear()


_servers: set[Any] = set()
"""Tasks that ran beside the first call, which comes alone and is no hostile one."""


def left() -> str:
    """The server's objects of calls, by type, as text."""
    while gc.collect():
        pass
    names = (f"{type(o).__module__}.{type(o).__name__}" for o in gc.get_objects())
    counts = Counter(name for name in names if name.startswith("cppasgi._native."))
    kinds = ("ApplicationCall", "Receive", "Send", "Waiter", "Completed", "Notice")
    return " ".join(f"{kind}={counts[f'cppasgi._native.{kind}']}" for kind in kinds)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Does what the path says."""
    if not _servers:
        _servers.update(asyncio.all_tasks() - {asyncio.current_task()})
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    match scope["path"].split("/")[1:]:
        case ["well", what]:
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.accept"})
                await send({"type": "websocket.send", "text": what})
                await send({"type": "websocket.close"})
            else:
                await text(send, what)
        case ["left"]:
            await end_all()
            await text(send, left())
        case ["hostile", seed]:
            task: Any = asyncio.current_task()
            _running.add(task)
            try:
                await asyncio.wait_for(Hostile(seed, receive, send).run(), LONGEST_CALL)
            finally:
                _running.discard(task)
