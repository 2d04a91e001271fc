"""The plain application beside threads that burn Python: ``BENCHMARK_BURNING`` says how many.

They stand for what holds the GIL in real sites: template rendering, serializers, ORM code in
``sync_to_async``. Each keeps it until the interpreter's switch interval (5 ms) is over.
"""

from __future__ import annotations

import os
import threading

from hello import application

__all__ = ["application"]


def _burn() -> None:
    number = 0
    while True:
        number = (number * 1_103_515_245 + 12_345) % 2_147_483_648


for _ in range(int(os.environ.get("BENCHMARK_BURNING", "0"))):
    threading.Thread(target=_burn, daemon=True).start()
