"""Answers to clients that send nothing more: late, in pieces, from a file, or never.

/ACTION/SECONDS/NAME; /report/NAME tells how long after its start the call heard of its client's
end, or that it has sent everything.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

from apps.reports import REPORTS, serve_report, text

PIECES = 6
LARGE = bytes(30_000_000)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Does what the path says."""
    if scope["type"] == "lifespan":
        raise RuntimeError("this application has no lifespan")
    action, _, rest = scope["path"].lstrip("/").partition("/")
    if action == "report":
        await serve_report(scope, send)
        return
    seconds, _, name = rest.partition("/")
    begun = time.monotonic()
    try:
        REPORTS[name] = await ACTIONS[action](scope, receive, send, float(seconds or 0))
    except OSError:
        REPORTS[name] = None
    if REPORTS[name] is None:
        REPORTS[name] = time.monotonic() - begun


async def answer(scope: Any, receive: Any, send: Any, seconds: float) -> Any:
    """One piece, so long after the request."""
    await asyncio.sleep(seconds)
    await text(send, "late")
    return "sent"


async def answer_much(scope: Any, receive: Any, send: Any, seconds: float) -> Any:
    await asyncio.sleep(seconds)
    await text(send, LARGE)
    return "sent"


async def begin_stream(send: Any, seconds: float) -> None:
    """Sends pieces, with so long in between."""
    await send({"type": "http.response.start", "status": 200})
    for _ in range(PIECES):
        await send({"type": "http.response.body", "body": b"piece", "more_body": True})
        await asyncio.sleep(seconds)


async def stream(scope: Any, receive: Any, send: Any, seconds: float) -> Any:
    await begin_stream(send, seconds)
    await send({"type": "http.response.body", "body": b"end"})
    return "sent"


async def file(scope: Any, receive: Any, send: Any, seconds: float) -> Any:
    await asyncio.sleep(seconds)
    path = scope["query_string"].decode()
    length = str(Path(path).stat().st_size).encode()
    headers = [(b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.pathsend", "path": path})
    return "sent"


async def events(scope: Any, receive: Any, send: Any, seconds: float) -> Any:
    """Begins a response without an end; with seconds, sends something so often."""
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"event", "more_body": True})
    while seconds:
        await asyncio.sleep(seconds)
        await send({"type": "http.response.body", "body": b"event", "more_body": True})
    return await wait(scope, receive, send, seconds)


async def wait(scope: Any, receive: Any, send: Any, seconds: float) -> Any:
    """Answers nothing until it is told that its client has left."""
    while not (await receive())["type"].endswith(".disconnect"):
        pass


async def accept(scope: Any, receive: Any, send: Any, seconds: float) -> Any:
    await send({"type": "websocket.accept"})
    return await wait(scope, receive, send, seconds)


async def sleep(scope: Any, receive: Any, send: Any, seconds: float) -> Any:
    """Neither takes nor sends anything."""
    await asyncio.sleep(seconds)


async def answer_late(scope: Any, receive: Any, send: Any, seconds: float) -> Any:
    """Takes the content after a while, and answers its size."""
    await asyncio.sleep(seconds)
    await text(send, str(await size_of_content(receive)))
    return "sent"


async def stream_late(scope: Any, receive: Any, send: Any, seconds: float) -> Any:
    """Takes the content after the pieces, and answers its size."""
    await begin_stream(send, seconds)
    await send({"type": "http.response.body", "body": b"%d" % await size_of_content(receive)})
    return "sent"


async def size_of_content(receive: Any) -> int:
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    return size


ACTIONS = {
    "sleep": sleep,
    "answer-late": answer_late,
    "stream-late": stream_late,
    "answer": answer,
    "answer-much": answer_much,
    "stream": stream,
    "file": file,
    "events": events,
    "wait": wait,
    "accept": accept,
}
