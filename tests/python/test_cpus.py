"""`--workers auto`: as many as this process may use cores, whoever limits them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cppasgi.settings import cpus
from cppasgi.settings.cpus import usable_cpus

pytestmark = pytest.mark.python_side

ASK = "from cppasgi.settings.values import workers; print(workers('auto'))"


@pytest.fixture
def sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has more cores than any limit here."""
    monkeypatch.setattr(cpus.os, "sched_getaffinity", lambda _: set(range(16)))


def tree(folder: Path, groups: str, files: dict[str, str]) -> Path:
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


V1 = "sys/fs/cgroup/cpu,cpuacct"
V1_GROUPS = "3:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n0::/\n"


@pytest.mark.usefixtures("sixteen")
@pytest.mark.parametrize(
    ("groups", "files", "count"),
    [
        ("", {}, 16),
        # version 2
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, 16),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "10000 100000\n"}, 1),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "9000000 100000\n"}, 16),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "nonsense\n"}, 16),
        (  # the limit of a slice above the service
            "0::/site.slice/web.service\n",
            {
                "sys/fs/cgroup/site.slice/cpu.max": "300000 100000\n",
                "sys/fs/cgroup/site.slice/web.service/cpu.max": "max 100000\n",
            },
            3,
        ),
        # version 1
        (V1_GROUPS, {f"{V1}/cpu.cfs_quota_us": "-1\n", f"{V1}/cpu.cfs_period_us": "100000\n"}, 16),
        (  # the path is the host's, the container sees its own part only
            V1_GROUPS,
            {f"{V1}/cpu.cfs_quota_us": "250000\n", f"{V1}/cpu.cfs_period_us": "100000\n"},
            3,
        ),
        (
            V1_GROUPS,
            {
                f"{V1}/docker/abc/cpu.cfs_quota_us": "50000\n",
                f"{V1}/docker/abc/cpu.cfs_period_us": "100000\n",
            },
            1,
        ),
        (V1_GROUPS, {f"{V1}/cpu.cfs_quota_us": "250000\n"}, 16),
    ],
)
def test_limits_of_groups(tmp_path: Path, groups: str, files: dict[str, str], count: int) -> None:
    assert usable_cpus(tree(tmp_path, groups, files)) == count


def test_mask_counts() -> None:
    core = str(min(os.sched_getaffinity(0)))
    command = ["taskset", "-c", core, sys.executable, "-c", ASK]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1\n"


@pytest.fixture
def group() -> Iterator[Path]:
    """A real control group with a tenth of a core."""
    name = f"cppasgi-test-{os.getpid()}"
    for top, limit in (
        (Path("/sys/fs/cgroup/cpu"), {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "10000"}),
        (Path("/sys/fs/cgroup"), {"cpu.max": "10000 100000"}),
    ):
        folder = top / name
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            for file, text in limit.items():
                (folder / file).write_text(text)
            yield folder
            return
        except OSError:
            continue
        finally:
            folder.rmdir()
    pytest.skip("no control group may be made here")


def test_real_group(group: Path) -> None:
    if len(os.sched_getaffinity(0)) == 1:
        pytest.skip("there is one core only")
    command = f'echo $$ > {group}/cgroup.procs; exec {sys.executable} -c "{ASK}"'
    asked = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert asked.stdout == "1\n"
