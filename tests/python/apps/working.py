"""An application for tests of worker processes: it says which process answers."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import time
from pathlib import Path
from typing import Any

from apps.reports import text

PID = str(os.getpid())
MEMORY: list[bytes] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    """HTTP by path; a WebSocket is greeted with the process id and gets its messages back."""
    if scope["type"] == "lifespan":
        await live(scope, receive, send)
    elif scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["path"].startswith("/sleep/"):
        await asyncio.sleep(float(scope["path"].rpartition("/")[2]))
        await text(send, PID)
    elif scope["path"].startswith("/blocked/"):
        time.sleep(float(scope["path"].rpartition("/")[2]))
        await text(send, PID)
    elif scope["path"].startswith("/grow/"):
        MEMORY.append(b"x" * (int(scope["path"].rpartition("/")[2]) << 20))
        await text(send, PID)
    elif scope["path"].startswith("/computing/"):
        await asyncio.sleep(0.6)
        compute(float(scope["path"].rpartition("/")[2]))
        await text(send, PID)
    elif scope["path"] == "/in-c":
        max(itertools.repeat(0))  # never gives the interpreter up: no signal handler runs either
    else:
        await text(send, PID)


def compute(seconds: float) -> None:
    """Keeps this thread in C for about so long: no signal handler runs in it."""
    begun = time.perf_counter()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 20_000)
    speed = 20_000 / (time.perf_counter() - begun)
    hashlib.pbkdf2_hmac("sha256", b"", b"", int(speed * seconds))


async def live(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await asyncio.sleep(float(os.environ.get("TEST_START_SECONDS", "0")))
    if Path(os.environ.get("TEST_BROKEN", "/nowhere")).exists():
        raise RuntimeError("broken")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def echo(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": PID})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
