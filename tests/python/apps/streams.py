"""Responses with and without an end of their own, by path; each listens for its client's end, but
for /deaf-events. What happens is printed.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from apps.reports import text


def note(line: str) -> None:
    print(f"app: {line}", file=sys.stderr, flush=True)


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    name, _, seconds = scope["path"].lstrip("/").partition("/")
    if name == "slow":
        await asyncio.sleep(float(seconds))
        await text(send, "slow, but here")
        return
    if name == "orphan":  # its parent ends, and leaves it to the first process of the container
        await (await asyncio.create_subprocess_shell("sleep 0.3 &")).wait()
        await text(send, "left alone")
        return
    if name == "stubborn":
        await stay()
        return
    if name == "late":  # its first event comes when the server stops already
        await asyncio.sleep(float(seconds))
    has_events = "events" in name or name == "late"
    kind = b"Text/Event-Stream; charset=utf-8" if has_events else b"text/plain"
    parts = float(seconds) / 0.1 if seconds and name != "late" else float("inf")
    if name == "deaf-events":
        await stream(send, kind, parts)
        return
    sending = asyncio.ensure_future(stream(send, kind, parts))
    listening = asyncio.ensure_future(listen(receive))
    try:
        await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        listening.cancel()
        await asyncio.sleep(0.2)
        note(f"cleaned up {name}")


async def listen(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    note("heard http.disconnect")


async def stream(send: Any, kind: bytes, parts: float) -> None:
    headers = [(b"content-type", kind)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    number = 0
    try:
        while number < parts:
            number += 1
            await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})
            await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": b"end"})
    except OSError:
        note("send() raised")
        raise


async def stay() -> None:
    """Survives its cancellation."""
    note("begun")
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            note("stays")


async def live(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await asyncio.sleep(0.5)
    note("lifespan is over")
    await send({"type": "lifespan.shutdown.complete"})
