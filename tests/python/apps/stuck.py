"""Applications that don't let a server stop."""

import asyncio
import sys
import threading
import time
from typing import Any

from asgiref.sync import sync_to_async

from apps.reports import text


def note(line: str) -> None:
    print(f"app: {line}", file=sys.stderr, flush=True)


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        raise ValueError("no lifespan")
    kind = scope["path"]
    note(f"begun {kind}")
    if kind == "/sleep":
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            note("cancelled")
            raise
    elif kind == "/stubborn":
        while True:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                note("cancelled, and stays")
    elif kind == "/blocked-loop":
        time.sleep(1000)
    elif kind == "/busy-loop":
        while True:
            pass
    elif kind == "/sync-thread":
        await sync_to_async(time.sleep)(1000)
    elif kind == "/executor":
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 1000)
    elif kind == "/left-thread":
        threading.Thread(target=time.sleep, args=(1000,)).start()
        await text(send, "left")
    else:
        await text(send, "fine")
