"""What a process uses, from /proc."""

from __future__ import annotations

import math
import os
import resource
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
        open_files: descriptors.
        most_open_files: as many as it may have.
    """

    resident_bytes: int
    cpu_seconds: float
    open_files: int
    most_open_files: float


def process_usage(pid: int) -> ProcessUsage | None:
    """Looks; None when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        folder = Path(f"/proc/{pid}/fd")
        # From Linux 6.2 on the folder's size is their number.
        open_files = folder.stat().st_size or len(list(folder.iterdir()))
        most_open_files, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    except OSError:
        return None
    fields = stat.rsplit(")", 1)[1].split()  # from the third of proc(5) on
    user, system, resident = int(fields[11]), int(fields[12]), int(fields[21])
    most = math.inf if most_open_files == resource.RLIM_INFINITY else most_open_files
    return ProcessUsage(resident * _PAGE, (user + system) / _TICKS, open_files, most)
