"""Measures: starts servers, checks their answers, loads them; takes CPU time, memory and time."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loads import idle_websockets
from servers import TICKS_PER_SECOND, NotStarted, Running, Server, WrongAnswer, running, start
from workloads import Workload

WARM_UP_SECONDS = 0.5
SETTLE_SECONDS = 0.5


@dataclass(frozen=True)
class Sample:
    """One measurement of one server under one workload.

    Attributes:
        value: In the workload's unit.
        others_busy: Other processes' use of a core meanwhile.

    The others are 0 where nothing loads the server.
    """

    workload: str
    server: str
    round: int
    value: float
    per_second: float = 0.0
    server_core_busy: float = 0.0
    p50_us: float = 0.0
    p99_us: float = 0.0
    p999_us: float = 0.0
    others_busy: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What all measurements of a run have in common.

    Attributes:
        rounds: How often everything is measured.
        seconds: The length of each load.
        server_core: The core that serves, or a list of cores as ``taskset`` takes it.
        load_core: The core that loads.
        idle_websockets: How many are held open for the memory row.
    """

    rounds: int
    seconds: float
    server_core: int | str
    load_core: int | str
    idle_websockets: int


def machine_cpu_seconds() -> float:
    """Return the CPU time of all processes since boot, and what the hypervisor took (steal)."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    user, nice, system, _idle, _iowait, _irq, _softirq, steal = fields[:8]
    return (user + nice + system + steal) / TICKS_PER_SECOND


def own_cpu_seconds() -> float:
    """Return the CPU time of this program and of the load generators that it has run."""
    usages = (
        resource.getrusage(resource.RUSAGE_SELF),
        resource.getrusage(resource.RUSAGE_CHILDREN),
    )
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure_cpu(server: Running, workload: Workload, number: int, plan: Plan) -> Sample:
    """Check a server's answers, warm it up, load it, and return what one request cost."""
    load = workload.load
    assert load is not None
    load.check(server, plan.load_core)
    load(server, plan.load_core, WARM_UP_SECONDS)
    ours, machine, before = own_cpu_seconds(), machine_cpu_seconds(), server.cpu_seconds()
    counted = load(server, plan.load_core, plan.seconds)
    cpu = server.cpu_seconds() - before
    others = (machine_cpu_seconds() - machine) - (own_cpu_seconds() - ours) - cpu
    return Sample(
        workload=workload.name,
        server=server.name,
        round=number,
        value=cpu / counted.count * 1e6,
        per_second=counted.count / counted.seconds,
        server_core_busy=cpu / counted.seconds,
        p50_us=counted.p50_us,
        p99_us=counted.p99_us,
        p999_us=counted.p999_us,
        others_busy=max(0.0, others / counted.seconds),
    )


def measure_memory(server: Server, workload: Workload, number: int, plan: Plan) -> Sample:
    """Return what each of many idle WebSockets adds to the resident memory of a fresh server."""
    server = replace(server, command=server.command + server.for_many)
    with running(server, workload.application, plan.server_core) as started:
        # A few first: what the first WebSocket loads or allocates for good isn't theirs.
        with idle_websockets(started, plan.load_core, 10):
            time.sleep(SETTLE_SECONDS)
        before = started.rss_bytes()
        with idle_websockets(started, plan.load_core, plan.idle_websockets):
            time.sleep(SETTLE_SECONDS)
            grown = started.rss_bytes() - before
    return Sample(workload.name, server.name, number, grown / 1024 / plan.idle_websockets)


def measure_start(server: Server, workload: Workload, number: int, plan: Plan) -> Sample:
    """Return the time from the start of the process to its first 200, in milliseconds."""
    begin = time.monotonic()
    with start(server, workload.application, plan.server_core) as started:
        started.wait_for_200()
        elapsed = time.monotonic() - begin
    return Sample(workload.name, server.name, number, elapsed * 1000)


@dataclass(frozen=True)
class Results:
    """All samples of a run, and why a (server, workload) has none."""

    samples: list[Sample]
    failed: dict[tuple[str, str], str]


def run_rounds(servers: Sequence[Server], workloads: Sequence[Workload], plan: Plan) -> Results:
    """Measure every server under every workload once per round, interleaved.

    A wrong answer voids all samples of that server and workload.
    """
    samples: list[Sample] = []
    failed: dict[tuple[str, str], str] = {}
    groups: dict[tuple[str, str], list[Workload]] = {}
    for workload in workloads:
        # One start of a server serves all workloads that load the same application.
        key = (workload.application, "" if workload.load else workload.name)
        groups.setdefault(key, []).append(workload)
    for number in range(plan.rounds):
        # The order turns with the rounds, so that no server always follows the same neighbour.
        turn = number % len(servers)
        for group in groups.values():
            for server in [*servers[turn:], *servers[:turn]]:
                left = [each for each in group if (server.name, each.name) not in failed]
                if server.is_floor and not group[0].is_plain:
                    continue
                if left:
                    what = ", ".join(each.name for each in left)
                    print(
                        f"round {number + 1}/{plan.rounds}: {server.name}: {what}", file=sys.stderr
                    )
                    samples += _run_server(server, left, number, plan, failed)
    return Results([s for s in samples if (s.server, s.workload) not in failed], failed)


def _run_server(
    server: Server,
    workloads: list[Workload],
    number: int,
    plan: Plan,
    failed: dict[tuple[str, str], str],
) -> list[Sample]:
    """Measure the workloads of one application; note in ``failed`` what the server gets wrong."""
    samples: list[Sample] = []
    left = list(workloads)
    while left:
        try:
            if left[0].load is None:
                take = measure_memory if left[0].unit == "KiB" else measure_start
                samples.append(take(server, left[0], number, plan))
                left.pop(0)
                continue
            # After a failure the server is started again for the workloads that are left.
            with running(server, left[0].application, plan.server_core) as started:
                while left:
                    samples.append(measure_cpu(started, left[0], number, plan))
                    left.pop(0)
        except WrongAnswer as error:
            count = len(left) if isinstance(error, NotStarted) else 1
            for workload in left[:count]:
                failed[server.name, workload.name] = str(error).partition("\n")[0]
                print(f"*** FAILED: {server.name}, {workload.title}: {error}", file=sys.stderr)
            del left[:count]
    return samples
