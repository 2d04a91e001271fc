"""When a worker has served long enough and is replaced: for leaks that nobody finds."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, replace
from pathlib import Path

_JITTER = 0.1
"""A worker's limits are up to so much of them off: workers don't come to their ends together."""


@dataclass(frozen=True)
class WorkerLimits:
    """What a worker may reach; 0 is no limit.

    Attributes:
        requests: HTTP requests and WebSockets.
        seconds: since its start.
        resident_bytes: of memory.
    """

    requests: int = 0
    seconds: float = 0
    resident_bytes: int = 0

    def for_one(self) -> WorkerLimits:
        """Those of one worker, with its jitter; memory has none."""
        factor = 1 + random.uniform(-_JITTER, _JITTER)
        return WorkerLimits(
            max(int(self.requests * factor), 1) if self.requests else 0,
            self.seconds * factor,
            self.resident_bytes,
        )

    def above(self, base: int) -> WorkerLimits:
        """Those of a worker that can't do with less memory than ``base``, in bytes.

        A limit below that would replace it again and again: it gets twice its base.
        """
        if not 0 < self.resident_bytes <= base:
            return self
        return replace(self, resident_bytes=2 * base)

    def reached(self, *, requests: int, seconds: float, pid: int) -> str | None:
        """Says in words which limit a process has reached, if one."""
        if self.requests and requests >= self.requests:
            return f"{requests} requests"
        if self.seconds and seconds >= self.seconds:
            return f"{seconds:.0f} s"
        if self.resident_bytes and (resident := resident_bytes(pid)) >= self.resident_bytes:
            return f"{resident >> 20} MiB of memory"
        return None


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
