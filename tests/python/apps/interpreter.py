"""Answers how the interpreter is set: /threshold of the collector, /switch interval.

Sets them first where COLLECTOR_THRESHOLD or SWITCH_INTERVAL say so. /frozen is how many objects the
collector spared when this was loaded.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

frozen = gc.get_freeze_count()
if threshold := os.environ.get("COLLECTOR_THRESHOLD"):
    gc.set_threshold(int(threshold))
if interval := os.environ.get("SWITCH_INTERVAL"):
    sys.setswitchinterval(float(interval))


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    answers = {
        "/threshold": gc.get_threshold()[0],
        "/switch": sys.getswitchinterval(),
        "/frozen": frozen,
    }
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": str(answers[scope["path"]]).encode()})
