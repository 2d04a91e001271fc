"""What the kernel's /proc tells of processes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server_process import ServerProcess


def workers_of(process: ServerProcess) -> list[int]:
    """The process ids of the supervisor's children."""
    children = Path(f"/proc/{process.process.pid}/task/{process.process.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def descriptors_of(pid: int) -> int:
    """How many the process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended, but that nobody has waited for, doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def status_bytes(pid: int, name: str) -> int:
    """A size of /proc/PID/status, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) * 1024


def resident(pid: int) -> int:
    """Resident memory of the process, in bytes."""
    return status_bytes(pid, "VmRSS")
