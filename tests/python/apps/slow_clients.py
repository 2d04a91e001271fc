"""What clients meet who take their time: an answer, a body that is waited for, an endless one.

/report/NAME tells what the call of /.../NAME has seen.
"""

import asyncio
from typing import Any

from apps.reports import REPORTS, serve_report, text

PIECE = b"x" * 16384
PIECES_OF_100_MB = 100 * 1024 * 1024 // len(PIECE)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Does what the first part of the path says."""
    if scope["type"] == "lifespan":
        raise RuntimeError("this application has no lifespan")
    action, _, name = scope["path"].lstrip("/").partition("/")
    if action == "report":
        await serve_report(scope, send)
    elif action == "upload":
        await upload(receive, send, name)
    elif action == "download":
        await download(send, name)
    elif action == "hang":
        REPORTS[name] = "started"
        while (await receive())["type"] != "http.disconnect":
            pass
        REPORTS[name] = "disconnected"
    else:
        await text(send, "hello")


async def upload(receive: Any, send: Any, name: str) -> None:
    """Takes the body in; with the name "eager" it answers at once, and then takes it in."""
    REPORTS[name] = "started"
    if name == "eager":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            REPORTS[name] = "disconnected"
            return
        if not message.get("more_body"):
            break
    await text(send, "thanks")


async def download(send: Any, name: str) -> None:
    """100 MB, in pieces."""
    try:
        await send({"type": "http.response.start", "status": 200})
        for _ in range(PIECES_OF_100_MB):
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        await send({"type": "http.response.body"})
    except OSError as error:
        REPORTS[name] = type(error).__name__
        await asyncio.sleep(0)
        raise
