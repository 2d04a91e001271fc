"""Runs five blocking calls in the default executor at once; says how many ran at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from asgiref.sync import sync_to_async

from apps.reports import text

CALLS = 5

_lock = threading.Lock()
_running = 0
_peak = 0


def _block() -> None:
    global _running, _peak
    with _lock:
        _running += 1
        _peak = max(_peak, _running)
    time.sleep(0.2)
    with _lock:
        _running -= 1


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the number."""
    if scope["type"] != "http":
        raise RuntimeError("only HTTP here")
    call = sync_to_async(_block, thread_sensitive=False)
    await asyncio.gather(*(call() for _ in range(CALLS)))
    await text(send, str(_peak))
