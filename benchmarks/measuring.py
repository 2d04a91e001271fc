"""Measures: starts servers, checks their answers, loads them; takes CPU time, memory and time."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from loads import idle_websockets
from servers import TICKS_PER_SECOND, Running, Server, WrongAnswer, running, start
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


def in_turn(servers: Sequence[Server], number: int) -> list[Server]:
    """Return the order of a round, so that no server always follows the same neighbour."""
    turn = number % max(1, len(servers))
    return [*servers[turn:], *servers[:turn]]


def prepare(server: Running, workload: Workload, plan: Plan) -> None:
    """Check a server's answers and warm it up."""
    load = workload.load
    assert load is not None
    load.check(server, plan.load_core)
    load(server, plan.load_core, WARM_UP_SECONDS)


def measure_cpu(server: Running, workload: Workload, number: int, plan: Plan) -> Sample:
    """Load a server, and return what one request cost."""
    load = workload.load
    assert load is not None
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


class Fleet:
    """The servers that serve one application at the same time, each started when first needed."""

    def __init__(self, application: str, plan: Plan) -> None:
        """Start nothing yet."""
        self._application = application
        self._plan = plan
        self._started: dict[str, tuple[ExitStack, Running]] = {}

    def get(self, server: Server) -> Running:
        """Return the running server; raise ``NotStarted`` when it doesn't start."""
        if server.name not in self._started:
            with ExitStack() as stack:
                started = stack.enter_context(
                    running(server, self._application, self._plan.server_core)
                )
                self._started[server.name] = (stack.pop_all(), started)
        return self._started[server.name][1]

    def stop(self, server: Server) -> None:
        """End this one, if it runs."""
        if found := self._started.pop(server.name, None):
            found[0].close()

    def __enter__(self) -> Fleet:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all."""
        with ExitStack() as stack:
            for each, _started in self._started.values():
                stack.push(each)


class Run:
    """One run of all servers under all workloads."""

    def __init__(self, servers: Sequence[Server], plan: Plan) -> None:
        """Measure ``servers`` as ``plan`` says."""
        self._servers = servers
        self._plan = plan
        self._samples: list[Sample] = []
        self._failed: dict[tuple[str, str], str] = {}

    def measure(self, workload: Workload, fleet: Fleet) -> None:
        """Measure a workload with every server in turn, round after round.

        A framework's cost depends on where its objects and hashes fell, which stays for the life of
        a process: every round of these rows has processes of its own.
        """
        servers = [each for each in self._servers if workload.is_plain or not each.is_floor]
        print(f"{workload.name}: {', '.join(each.name for each in servers)}", file=sys.stderr)
        if workload.is_plain:
            for server in servers:
                with self._noting(server, workload, fleet):
                    prepare(fleet.get(server), workload, self._plan)
        for number in range(self._plan.rounds):
            for server in in_turn(servers, number):
                if (server.name, workload.name) in self._failed:
                    continue
                with self._noting(server, workload, fleet):
                    self._samples.append(self._measure_once(server, workload, number, fleet))

    def _measure_once(
        self, server: Server, workload: Workload, number: int, fleet: Fleet
    ) -> Sample:
        if workload.load is not None:
            if not workload.is_plain:
                fleet.stop(server)
                prepare(fleet.get(server), workload, self._plan)
            return measure_cpu(fleet.get(server), workload, number, self._plan)
        take = measure_memory if workload.unit == "KiB" else measure_start
        return take(server, workload, number, self._plan)

    @contextmanager
    def _noting(self, server: Server, workload: Workload, fleet: Fleet) -> Iterator[None]:
        """Note what a server gets wrong, and end it: it starts afresh for the next workload."""
        try:
            yield
        except WrongAnswer as error:
            self._failed[server.name, workload.name] = str(error).partition("\n")[0]
            print(f"*** FAILED: {server.name}, {workload.title}: {error}", file=sys.stderr)
            fleet.stop(server)

    def results(self) -> Results:
        """Return the samples; a wrong answer voids all of that server and workload."""
        kept = [each for each in self._samples if (each.server, each.workload) not in self._failed]
        return Results(kept, self._failed)


def run_rounds(servers: Sequence[Server], workloads: Sequence[Workload], plan: Plan) -> Results:
    """Measure every server under every workload once per round.

    Servers take turns with each workload, seconds apart: a machine that slows down slows all.
    """
    run = Run(servers, plan)
    groups: dict[tuple[str, bool], list[Workload]] = {}
    for workload in workloads:
        # Memory and start are measured while no other server runs.
        groups.setdefault((workload.application, workload.load is None), []).append(workload)
    for (application, _), group in groups.items():
        with Fleet(application, plan) as fleet:
            for workload in group:
                run.measure(workload, fleet)
    return run.results()
