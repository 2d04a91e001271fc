"""What applications do when their client leaves: each path is a way to listen, to send or to end.

Paths are /NAME/KEY; what an application saw is reported under KEY. GET /tasks answers how many
tasks there are, GET /ask/KEY at once.
"""

import asyncio
import contextlib
import time
from collections import Counter
from typing import Any

import django
from django.conf import settings

from apps.http_paths import START, body, raised_by
from apps.reports import REPORTS, outcome, serve_report, text

settings.configure(CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}})
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer  # noqa: E402

ACCEPT = {"type": "websocket.accept"}
ASKED: Counter[str] = Counter()


async def heard(receive: Any) -> float:
    """Waits for the client's end, and returns when it was heard."""
    while not (await receive())["type"].endswith("disconnect"):
        pass
    return time.monotonic()


# --- HTTP ---


async def stopped_by_listener(receive: Any, send: Any, key: str) -> None:
    """Sends more than the client reads; whoever hears of its end stops the sender."""
    await send(START)
    sender = asyncio.create_task(raised_by(send, body(b"x" * 8_000_000)))
    await heard(receive)
    await asyncio.sleep(0.1)
    sent = sender.done() and outcome(sender.result())
    sender.cancel()
    REPORTS[key] = sent


async def late_listener(receive: Any, send: Any, key: str) -> None:
    """Begins to listen and to send when the client has gone already, as Django does."""
    await receive()
    await asyncio.sleep(0.3)
    listener = asyncio.create_task(receive())
    first = await raised_by(send, START)
    second = await raised_by(send, body(b"done"))
    REPORTS[key] = [outcome(first), outcome(second), (await listener)["type"]]


async def alone(receive: Any, send: Any, key: str) -> None:
    """Sends without listening."""
    await send(START)
    error = None
    while error is None:
        error = await raised_by(send, body(b"x" * 1000, more=True))
        await asyncio.sleep(0.01)
    REPORTS[key] = [outcome(error), outcome(await raised_by(send, body(b"more", more=True)))]


async def whole(receive: Any, send: Any, key: str) -> None:
    """Has worked for a while, and gives its answer at once; nobody listens."""
    await receive()
    await asyncio.sleep(0.3)
    errors = [await raised_by(send, START), await raised_by(send, body(b"done"))]
    REPORTS[key] = [outcome(error) for error in errors]


async def announced(receive: Any, send: Any, key: str) -> None:
    """Sends more than the client reads, in parts, of which the whole length is known."""
    await receive()
    parts, part = 100, b"x" * 100_000
    length = (b"content-length", str(parts * len(part)).encode())
    errors = [await raised_by(send, {**START, "headers": [length]})]
    errors += [await raised_by(send, body(part, more=True)) for _ in range(parts)]
    errors.append(await raised_by(send, body(b"")))
    REPORTS[key] = [outcome(error) for error in errors]


async def announced_endless(receive: Any, send: Any, key: str) -> None:
    """Takes its time with what is of a known length; nobody listens."""
    begun = time.monotonic()
    await send({**START, "headers": [(b"content-length", b"1000000000")]})
    error = None
    while error is None:
        error = await raised_by(send, body(b"x", more=True))
        await asyncio.sleep(0.01)
    REPORTS[key] = {**outcome(error), "after": time.monotonic() - begun}


async def endless(receive: Any, send: Any, key: str) -> None:
    """Sends for ever, though another task hears that nobody reads."""
    listener = asyncio.create_task(heard(receive))
    await send(START)
    error = None
    while error is None:
        error = await raised_by(send, body(b"x", more=True))
        await asyncio.sleep(0.01)
    REPORTS[key] = {**outcome(error), "after": time.monotonic() - await listener}


async def left_behind(receive: Any, send: Any, key: str) -> None:
    """Returns while a task of its own still waits in receive()."""
    await receive()
    task = asyncio.create_task(receive())
    task.add_done_callback(lambda task: REPORTS.__setitem__(key, task.result()["type"]))
    await asyncio.sleep(0)
    await text(send, "done")


async def fails_in_finally(receive: Any, send: Any, key: str) -> None:
    """Raises something of its own while ClientDisconnected passes."""
    await send(START)
    try:
        while True:
            await send(body(b"x" * 1000, more=True))
            await asyncio.sleep(0.01)
    finally:
        raise KeyError(key)


async def escapes(receive: Any, send: Any, key: str) -> None:
    """Lets ClientDisconnected escape."""
    await send(START)
    while True:
        await send(body(b"x" * 1000, more=True))
        await asyncio.sleep(0.01)


class ClientDisconnect(Exception):
    """As Starlette's."""


async def translates(receive: Any, send: Any, key: str) -> None:
    """Raises a framework's exception instead."""
    try:
        await escapes(receive, send, key)
    except OSError:
        raise ClientDisconnect from None


async def in_group(receive: Any, send: Any, key: str) -> None:
    """Lets it escape from a task group (Python 3.11)."""
    async with asyncio.TaskGroup() as group:
        group.create_task(escapes(receive, send, key))


async def in_group_with_another(receive: Any, send: Any, key: str) -> None:
    """The same, together with a failure of another task."""

    async def fail() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(10)
        raise KeyError(key)

    async with asyncio.TaskGroup() as group:
        group.create_task(fail())
        group.create_task(escapes(receive, send, key))


async def cancels_itself(receive: Any, send: Any, key: str) -> None:
    """Is cancelled, but not by the server."""
    asyncio.current_task().cancel()  # type: ignore[union-attr]
    await asyncio.sleep(1)


# --- WebSocket ---


async def ws_left_behind(receive: Any, send: Any, key: str) -> None:
    """Accepts and returns while a task of its own still waits in receive()."""
    await receive()
    await send(ACCEPT)
    task = asyncio.create_task(receive())
    task.add_done_callback(lambda task: REPORTS.__setitem__(key, task.result()["type"]))
    await asyncio.sleep(0.05)


async def ws_receives_for_ever(receive: Any, send: Any, key: str) -> None:
    """Doesn't notice that it's over, until GET /ask/KEY has been answered three times."""
    await receive()
    await send(ACCEPT)
    while ASKED[key] < 3:
        await receive()
    REPORTS[key] = "over"


class Slow(AsyncWebsocketConsumer):
    """Is connecting for half a second."""

    async def connect(self) -> None:
        note(self, "connect")
        await asyncio.sleep(0.5)
        await self.accept()
        await self.send(text_data="welcome")
        note(self, "connected")

    async def disconnect(self, code: int) -> None:
        note(self, "disconnect")


class SlowSync(WebsocketConsumer):
    """The same in a thread."""

    def connect(self) -> None:
        note(self, "connect")
        time.sleep(0.5)
        self.accept()
        self.send(text_data="welcome")
        note(self, "connected")

    def disconnect(self, code: int) -> None:
        note(self, "disconnect")


class Tokens(AsyncWebsocketConsumer):
    """Streams an answer of sixty words, then saves it."""

    async def receive(self, **_: Any) -> None:
        for number in range(60):
            await self.send(text_data=f"token {number}")
            await asyncio.sleep(0.01)
        note(self, "saved")

    async def disconnect(self, code: int) -> None:
        note(self, "disconnect")


class TokensSync(WebsocketConsumer):
    """The same in a thread."""

    def receive(self, **_: Any) -> None:
        for number in range(60):
            self.send(text_data=f"token {number}")
            time.sleep(0.01)
        note(self, "saved")

    def disconnect(self, code: int) -> None:
        note(self, "disconnect")


class Endless(AsyncWebsocketConsumer):
    """Streams for ever."""

    async def receive(self, **_: Any) -> None:
        begun = time.monotonic()
        try:
            while True:
                await self.send(text_data="again")
                await asyncio.sleep(0.01)
        finally:
            REPORTS[key_of(self)] = time.monotonic() - begun


def key_of(consumer: Any) -> str:
    return str(consumer.scope["path"].rpartition("/")[2])


def note(consumer: Any, what: str) -> None:
    REPORTS.setdefault(key_of(consumer), []).append(what)


CONSUMERS = {
    "slow": Slow.as_asgi(),
    "slow-sync": SlowSync.as_asgi(),
    "tokens": Tokens.as_asgi(),
    "tokens-sync": TokensSync.as_asgi(),
    "endless": Endless.as_asgi(),
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Calls what the first part of the path names."""
    if scope["type"] == "lifespan":
        raise RuntimeError("this application has no lifespan")
    name, _, key = scope["path"].lstrip("/").partition("/")
    if name == "report":
        await serve_report(scope, send)
    elif name == "ask":
        ASKED[key] += 1
        await text(send, "answered")
    elif name == "tasks":
        await text(send, str(len(asyncio.all_tasks())))
    elif name in CONSUMERS and scope["type"] == "websocket":
        await CONSUMERS[name](scope, receive, send)
    else:
        prefix = "ws_" if scope["type"] == "websocket" else ""
        await globals()[prefix + name.replace("-", "_")](receive, send, key)
