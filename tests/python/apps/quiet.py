"""Answers after a quiet time: nothing happens on any connection meanwhile, asyncio only sleeps.

Or the opposite, "plod": from then on every turn of the event loop takes so long.

The first part of a path says what is done, and the second how many seconds later.
"""

import asyncio
import time
from typing import Any

from apps.reports import REPORTS, serve_report, text

LARGE = bytes(30_000_000)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Does what the path says."""
    if scope["type"] == "lifespan":
        raise RuntimeError("this application has no lifespan")
    action, _, rest = scope["path"].lstrip("/").partition("/")
    if action == "report":
        await serve_report(scope, send)
        return
    await ACTIONS[action](receive, send, float(rest))


async def answer(receive: Any, send: Any, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await text(send, "late")


async def block(receive: Any, send: Any, seconds: float) -> None:
    """Keeps the event loop from everything else."""
    time.sleep(seconds)
    await text(send, "late")


async def answer_much(receive: Any, send: Any, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await text(send, LARGE)


async def begin(receive: Any, send: Any, seconds: float) -> None:
    """The response begins at once and ends late."""
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"early", "more_body": True})
    await asyncio.sleep(seconds)
    await send({"type": "http.response.body", "body": b"late"})


async def read(receive: Any, send: Any, seconds: float) -> None:
    """Takes the body in late, and answers with its length."""
    await asyncio.sleep(seconds)
    size = 0
    while True:
        message = await receive()
        assert message["type"] == "http.request", message
        size += len(message["body"])
        if not message["more_body"]:
            break
    await text(send, str(size))


async def accept(receive: Any, send: Any, seconds: float) -> None:
    """Accepts late, and answers messages."""
    await asyncio.sleep(seconds)
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "text": message["text"]})


async def speak(receive: Any, send: Any, seconds: float) -> None:
    """Accepts at once, and says something late."""
    await send({"type": "websocket.accept"})
    await asyncio.sleep(seconds)
    await send({"type": "websocket.send", "text": "late"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def close(receive: Any, send: Any, seconds: float) -> None:
    """Accepts at once, closes late, and notes the code with which the client ends."""
    await receive()
    await send({"type": "websocket.accept"})
    await asyncio.sleep(seconds)
    await send({"type": "websocket.close", "code": 4000})
    REPORTS[str(seconds)] = (await receive())["code"]


TASKS = set()


async def plod(receive: Any, send: Any, seconds: float) -> None:
    async def go_on() -> None:
        while True:
            await asyncio.sleep(0)
            time.sleep(seconds)

    await text(send, "from now on")
    TASKS.add(asyncio.ensure_future(go_on()))


ACTIONS = {
    "answer": answer,
    "block": block,
    "answer-much": answer_much,
    "begin": begin,
    "read": read,
    "accept": accept,
    "speak": speak,
    "close": close,
    "plod": plod,
}
