"""How many cores this process may use: what ``--workers auto`` counts.

A mask (taskset, a cpuset) says which cores; a control group says how much of them, as ``--cpus`` of
a container or ``resources.limits.cpu`` of Kubernetes do. More workers than that are throttled in
turns.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")


def usable_cpus(root: Path = _ROOT) -> int:
    """Cores of the mask, or what the control groups allow, rounded up, if that is less.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    cores = len(os.sched_getaffinity(0))
    return max(1, min([cores, *(math.ceil(limit) for limit in _limits(root))]))


def _limits(root: Path) -> Iterator[float]:
    """What each group that this process is in allows, in cores."""
    for group in _groups(root):
        quota_and_period = _numbers(group / "cpu.max") or (  # of version 2, or else of 1
            *_numbers(group / "cpu.cfs_quota_us"),
            *_numbers(group / "cpu.cfs_period_us"),
        )
        if len(quota_and_period) == 2:
            quota, period = quota_and_period
            if quota > 0 and period > 0:  # without a limit the quota is -1
                yield quota / period


def _groups(root: Path) -> Iterator[Path]:
    """The folders of the groups: of each hierarchy with limits the own one and those above it.

    In a container the path may be the host's, while only the own part is there to be seen.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:  # cgroups(7): ID:controllers:path
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / controllers
        group = top / path.lstrip("/")
        yield from (group, *(each for each in group.parents if each.is_relative_to(top)))


def _numbers(file: Path) -> tuple[int, ...]:
    """The numbers of a file; none of one that isn't there or says "max"."""
    try:
        return tuple(map(int, file.read_text().split()))
    except (OSError, ValueError):
        return ()
