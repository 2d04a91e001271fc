"""The text of ``/metrics``: the board, the supervisor and its workers as Prometheus's families.

Only where the library prometheus-client is installed.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

from cppasgi._native import __version__
from cppasgi.observing.board import (
    CONNECTIONS,
    GIL_WAIT,
    LAYOUT,
    LOOP_LAG,
    NANOSECONDS,
    MetricsBoard,
    Row,
)
from cppasgi.observing.monitoring import STATES, SupervisorStatus
from cppasgi.observing.process_usage import process_usage
from cppasgi.observing.routes import RouteCounts

if TYPE_CHECKING:
    from prometheus_client.core import CollectorRegistry, Metric


class Collector:
    """Everything that ``/metrics`` has, for prometheus_client."""

    def __init__(self, board: MetricsBoard, status: Callable[[], SupervisorStatus]) -> None:
        self._board = board
        self._status = status

    def collect(self) -> Iterator[Metric]:
        yield from _board_families(self._board.totals())
        yield from _route_families(self._board.routes())
        yield from self._supervisor_families(self._status())

    def _supervisor_families(self, status: SupervisorStatus) -> Iterator[Metric]:
        info = GaugeMetricFamily(
            "cppasgi_build_info", "1, with the versions.", labels=["version", "python"]
        )
        info.add_metric([__version__, platform.python_version()], 1)
        yield info
        yield GaugeMetricFamily(
            "cppasgi_ready", "Whether the service is ready, as /readyz says.", int(status.ready)
        )
        yield GaugeMetricFamily(
            "cppasgi_uptime_seconds", "Age of the supervisor.", time.monotonic() - status.started
        )
        restarts = CounterMetricFamily(
            "cppasgi_worker_restarts", "Workers that died or were replaced.", labels=["reason"]
        )
        for reason, count in status.restarts.items():
            restarts.add_metric([reason], count)
        yield restarts
        yield GaugeMetricFamily(
            "cppasgi_workers_wanted", "How many workers there are to be.", status.wanted
        )

        labels = ["worker", "pid"]
        gauge = GaugeMetricFamily
        states = gauge(
            "cppasgi_worker_state", "1 for the worker's state.", labels=[*labels, "state"]
        )
        beat = gauge(
            "cppasgi_worker_heartbeat_age_seconds", "Since the loop last ran.", labels=labels
        )
        lag = gauge(LOOP_LAG.family, LOOP_LAG.help, labels=labels)
        gil_wait = gauge(GIL_WAIT.family, GIL_WAIT.help, labels=labels)
        connections = gauge("cppasgi_worker_connections", CONNECTIONS.help, labels=labels)
        memory = gauge(
            "cppasgi_worker_resident_bytes", "Memory of the worker's process.", labels=labels
        )
        files = gauge("cppasgi_worker_open_files", "Descriptors that are open.", labels=labels)
        most_files = gauge(
            "cppasgi_worker_max_open_files", "Descriptors that may be open.", labels=labels
        )
        cpu = CounterMetricFamily(
            "cppasgi_worker_cpu_seconds", "Processor time that it has used.", labels=labels
        )
        for worker in status.workers:
            words = self._board.read(worker.slot)
            names = [str(worker.number), str(worker.pid)]
            for state in STATES:
                states.add_metric([*names, state], int(worker.state == state))
            age = self._board.heartbeat_age(worker.slot)
            if age is not None:
                beat.add_metric(names, age)
            lag.add_metric(names, words[LOOP_LAG.word] / NANOSECONDS)
            gil_wait.add_metric(names, words[GIL_WAIT.word] / NANOSECONDS)
            connections.add_metric(names, words[CONNECTIONS.word])
            process = process_usage(worker.pid)
            if process is not None:
                memory.add_metric(names, process.resident_bytes)
                cpu.add_metric(names, process.cpu_seconds)
                files.add_metric(names, process.open_files)
                most_files.add_metric(names, process.most_open_files)
        yield from (states, beat, lag, gil_wait, connections, memory, cpu, files, most_files)


class Scrapes:
    """What ``/metrics`` said last: writing it takes time, of which nobody may ask for all."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._latest: dict[str, tuple[float, bytes]] = {}  # type to the end of its time, and text

    def text(self, encode: Callable[[CollectorRegistry], bytes], content_type: str) -> bytes:
        begun = time.monotonic()
        end, text = self._latest.get(content_type, (0.0, b""))
        if begun < end:
            return text
        text = encode(self._registry)
        now = time.monotonic()
        self._latest[content_type] = (now + _REST * (now - begun), text)
        return text


_REST = 4
"""How many times as long as it took to write, an answer stays as it is."""


def _board_families(words: list[int]) -> Iterator[Metric]:
    families: dict[str, list[Row]] = {}
    for row in LAYOUT:
        if row.kind != "worker":
            families.setdefault(row.family, []).append(row)
    for rows in families.values():
        yield _histogram(rows, words) if rows[0].kind == "histogram" else _numbers(rows, words)


def _route_families(routes: dict[str, RouteCounts]) -> Iterator[Metric]:
    requests, failures, seconds = (
        CounterMetricFamily(f"cppasgi_http_route_{name}", text, labels=["route"])
        for name, text in (
            ("requests", "HTTP requests by the route that the application named."),
            ("failures", "Those of them that got 5xx or were cut."),
            ("seconds", "Time that they took, together."),
        )
    )
    for route, counts in routes.items():
        requests.add_metric([route], counts.requests)
        failures.add_metric([route], counts.failures)
        seconds.add_metric([route], counts.nanoseconds / NANOSECONDS)
    yield from (requests, failures, seconds)


def _numbers(rows: Iterable[Row], words: list[int]) -> Metric:
    rows = list(rows)
    first = rows[0]
    family: CounterMetricFamily | GaugeMetricFamily
    make = CounterMetricFamily if first.kind == "counter" else GaugeMetricFamily
    family = make(first.family, first.help, labels=[first.label] if first.label else [])
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.value] = counts.get(row.value, 0) + words[row.word]
    # There are hundreds of statuses and close codes: only the usual ones have a series from the
    # start, the others once they were seen.
    usual = _USUAL.get(first.label, counts)
    for value, count in counts.items():
        if count or value in usual:
            family.add_metric([value] if first.label else [], count)
    return family


_STATUSES = [
    *(200, 201, 204, 206, 301, 302, 304, 307, 308),
    *(400, 401, 403, 404, 405, 408, 413, 414, 422, 429, 431, 499),
    *(500, 501, 502, 503, 504),
]
_CODES = (1000, 1001, 1002, 1005, 1006, 1008, 1009, 1011, 1012, 1013)
_USUAL = {
    "status": frozenset([*map(str, _STATUSES), "cut"]),
    "code": frozenset(map(str, _CODES)),
}
"""By label. They are there from the start: what begins with its first count is lost to
``increase()``, which looks for the difference to something before."""


def _histogram(rows: list[Row], words: list[int]) -> Metric:
    buckets: list[tuple[str, float]] = []
    total = 0
    for row in rows:
        if row.label == "le":
            total += words[row.word]
            buckets.append((row.value, total))
    seconds = sum(words[row.word] for row in rows if row.label == "sum") / NANOSECONDS
    return HistogramMetricFamily(rows[0].family, rows[0].help, buckets=buckets, sum_value=seconds)
