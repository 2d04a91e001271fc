"""Brings about what an operator is to be told of; for the rest as apps/probe.py."""

from __future__ import annotations

import threading
import time
from typing import Any

from apps import probe
from apps.reports import text

KEPT: list[bytes] = []


def compute(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))


async def app(scope: Any, receive: Any, send: Any) -> None:
    """HTTP by path: /block/SECONDS, /compute/SECONDS, /keep/BYTES."""
    name, _, rest = scope.get("path", "").lstrip("/").partition("/")
    if name == "block":
        time.sleep(float(rest.split()[0]))
    elif name == "compute":  # the more threads, the longer each waits for the interpreter
        for _ in range(40):
            threading.Thread(target=compute, args=(float(rest),), daemon=True).start()
    elif name == "keep":
        KEPT.append(b"x" * int(rest))
    else:
        await probe.app(scope, receive, send)
        return
    await text(send, name)
