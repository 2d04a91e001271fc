"""What a process uses, from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class ProcessUsage:
    """What it uses now.

    Attributes:
        resident_bytes: of memory.
        cpu_seconds: of processor time, so far.
    """

    resident_bytes: int
    cpu_seconds: float


def process_usage(pid: int) -> ProcessUsage | None:
    """Looks; None when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rsplit(")", 1)[1].split()  # from the third of proc(5) on
    user, system, resident = int(fields[11]), int(fields[12]), int(fields[21])
    return ProcessUsage(resident * _PAGE, (user + system) / _TICKS)
