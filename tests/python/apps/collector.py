"""Answers the garbage collector's threshold; sets one first where COLLECTOR_THRESHOLD says so.

At /frozen, how many objects it spared when this was loaded.
"""

from __future__ import annotations

import gc
import os
from typing import Any

frozen = gc.get_freeze_count()
if threshold := os.environ.get("COLLECTOR_THRESHOLD"):
    gc.set_threshold(int(threshold))


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    answer = frozen if scope["path"] == "/frozen" else gc.get_threshold()[0]
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": str(answer).encode()})
