"""Answers the garbage collector's threshold; sets one first where COLLECTOR_THRESHOLD says so."""

from __future__ import annotations

import gc
import os
from typing import Any

if threshold := os.environ.get("COLLECTOR_THRESHOLD"):
    gc.set_threshold(int(threshold))


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": str(gc.get_threshold()[0]).encode()})
