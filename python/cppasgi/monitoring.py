"""What the supervisor answers about its workers: an ASGI application for a port of its own.

``/metrics`` is Prometheus text, ``/status`` JSON, ``/healthz`` says that the supervisor lives,
``/readyz`` whether the service is ready. All comes from the board (`cppasgi.board`), from /proc and
from what the supervisor says of its workers, so it answers while the application is busy. Needs
the extra ``metrics``, PyPI prometheus-client.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cppasgi import __version__
from cppasgi.board import LAYOUT, BoardSlot, MetricsBoard, Row
from cppasgi.lifespan import Application, Message

if TYPE_CHECKING:
    from prometheus_client.core import CollectorRegistry, Metric

WorkerState = Literal["starting", "ready", "stuck", "draining"]
STATES: tuple[WorkerState, ...] = ("starting", "ready", "stuck", "draining")

_NANOSECONDS = 1e9
_OPEN_METRICS = "application/openmetrics-text"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class WorkerStatus:
    """What the supervisor knows of one worker process.

    Attributes:
        number: the worker's place, from 1 on. While a worker is being replaced two have the same.
        slot: its block of the board.
        pid: its process.
        state: ``starting``, ``ready``, ``stuck`` (its event loop doesn't run) or ``draining``.
        started: when, on ``time.monotonic()``'s clock.
    """

    number: int
    slot: BoardSlot
    pid: int
    state: WorkerState
    started: float


@dataclass
class SupervisorStatus:
    """What the supervisor knows of itself and its workers.

    Attributes:
        workers: all that run.
        restarts: how many workers were started in another's place so far, by reason.
        started: when it was, on ``time.monotonic()``'s clock.
        ready: whether clients are served well enough to send more of them.
    """

    workers: list[WorkerStatus]
    restarts: dict[str, int]
    started: float
    ready: bool


def monitoring_application(
    board: MetricsBoard, status: Callable[[], SupervisorStatus]
) -> Application:
    """Makes the ASGI application.

    Args:
        board: where the workers count; the application only reads it.
        status: called for each request.

    Raises:
        ImportError: prometheus_client can't be imported; the text is one line.
    """
    try:
        import prometheus_client.exposition
        import prometheus_client.registry
    except ImportError:
        raise ImportError(
            "metrics need the library prometheus-client: pip install 'cppasgi[metrics]'"
        ) from None
    registry = prometheus_client.registry.CollectorRegistry(auto_describe=False)
    registry.register(_Collector(board, status))

    scrapes = _Scrapes(registry)

    def metrics(accept: str) -> _Answer:
        # Of what a client may ask for in between, the library keeps no bounds.
        kind = _OPEN_METRICS if _OPEN_METRICS in accept else "text/plain"
        encode, content_type = prometheus_client.exposition.choose_encoder(kind)
        return 200, content_type, scrapes.text(encode, content_type)

    def status_json(_accept: str) -> _Answer:
        text = json.dumps(describe(board, status()), indent=2) + "\n"
        return 200, "application/json", text.encode()

    def readiness(_accept: str) -> _Answer:
        now = status()
        stuck = [f"worker {each.number} is stuck" for each in now.workers if each.state == "stuck"]
        if now.ready:
            return _text(200, ", but ".join(["ready", *stuck]))
        ready = sum(worker.state == "ready" for worker in now.workers)
        reasons = [f"{ready} of {len(now.workers)} workers are", *stuck]
        return _text(503, f"not ready: {', '.join(reasons)}")

    pages: dict[str, Callable[[str], _Answer]] = {
        "/metrics": metrics,
        "/status": status_json,
        "/healthz": lambda _accept: _text(200, "alive"),
        "/readyz": readiness,
    }

    async def application(scope: Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            raise ValueError(f"no {scope['type']} here")
        page = pages.get(scope["path"])
        fields: list[tuple[bytes, bytes]] = []
        if page is None:
            answer = _text(404, f"here are {', '.join(pages)}")
        elif scope["method"] not in ("GET", "HEAD"):
            answer = _text(405, "GET or HEAD only")
            fields.append((b"allow", b"GET, HEAD"))
        else:
            accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
            answer = page(accept)
        code, content_type, body = answer
        fields += [
            (b"content-type", content_type.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": code, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    return application


def describe(board: MetricsBoard, status: SupervisorStatus) -> dict[str, Any]:
    """Makes the object of ``/status``: the service, its workers and their sums.

    Times are in seconds. What can't be read, as of a process that has just ended, is null.
    """
    now = time.monotonic()
    return {
        "version": __version__,
        "ready": status.ready,
        "uptime": now - status.started,
        "restarts": status.restarts,
        "totals": _summary(board.totals()),
        "workers": [_describe_worker(board, worker, now) for worker in status.workers],
    }


def _describe_worker(board: MetricsBoard, worker: WorkerStatus, now: float) -> dict[str, Any]:
    words = board.read(worker.slot)
    process = _process(worker.pid)
    return {
        "number": worker.number,
        "pid": worker.pid,
        "state": worker.state,
        "uptime": now - worker.started,
        "heartbeat_age": board.heartbeat_age(worker.slot),
        "loop_lag": words[_LOOP_LAG.word] / _NANOSECONDS,
        "gil_wait": words[_GIL_WAIT.word] / _NANOSECONDS,
        "resident_bytes": process and process.resident_bytes,
        "cpu_seconds": process and process.cpu_seconds,
        **_summary(words),
    }


def _rows(family: str) -> list[Row]:
    return [row for row in LAYOUT if row.family == family]


_LOOP_LAG = _rows("cppasgi_worker_loop_lag_seconds")[0]
_GIL_WAIT = _rows("cppasgi_worker_gil_wait_seconds")[0]
_CONNECTIONS = _rows("cppasgi_connections")[0]
_SUMMARY = {
    "connections": _rows("cppasgi_connections"),
    "websockets": _rows("cppasgi_websocket_connections"),
    "application_calls": _rows("cppasgi_application_calls"),
    "queued_messages": _rows("cppasgi_websocket_queued_messages"),
    "requests": _rows("cppasgi_http_requests_total"),
    "messages": _rows("cppasgi_websocket_messages_total"),
    "limits": _rows("cppasgi_limits_total"),
    "received_bytes": _rows("cppasgi_received_bytes_total"),
    "sent_bytes": _rows("cppasgi_sent_bytes_total"),
}


def _summary(words: list[int]) -> dict[str, int]:
    return {name: sum(words[row.word] for row in rows) for name, rows in _SUMMARY.items()}


@dataclass
class _Process:
    resident_bytes: int
    cpu_seconds: float


def _process(pid: int) -> _Process | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rsplit(")", 1)[1].split()  # from the third of proc(5) on
    user, system, resident = int(fields[11]), int(fields[12]), int(fields[21])
    return _Process(resident * _PAGE, (user + system) / _TICKS)


class _Collector:
    """Everything that ``/metrics`` has, for prometheus_client."""

    def __init__(self, board: MetricsBoard, status: Callable[[], SupervisorStatus]) -> None:
        self._board = board
        self._status = status

    def collect(self) -> Iterator[Metric]:
        yield from _board_families(self._board.totals())
        yield from self._supervisor_families(self._status())

    def _supervisor_families(self, status: SupervisorStatus) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        info = GaugeMetricFamily(
            "cppasgi_info", "1, with the server's version.", labels=["version"]
        )
        info.add_metric([__version__], 1)
        yield info
        yield GaugeMetricFamily(
            "cppasgi_ready", "Whether the service is ready, as /readyz says.", int(status.ready)
        )
        yield GaugeMetricFamily(
            "cppasgi_uptime_seconds", "Age of the supervisor.", time.monotonic() - status.started
        )
        restarts = CounterMetricFamily(
            "cppasgi_worker_restarts", "Workers started in another's place.", labels=["reason"]
        )
        for reason, count in status.restarts.items():
            restarts.add_metric([reason], count)
        yield restarts

        labels = ["worker", "pid"]
        gauge = GaugeMetricFamily
        states = gauge(
            "cppasgi_worker_state", "1 for the worker's state.", labels=[*labels, "state"]
        )
        beat = gauge(
            "cppasgi_worker_heartbeat_age_seconds", "Since the loop last ran.", labels=labels
        )
        lag = gauge(_LOOP_LAG.family, _LOOP_LAG.help, labels=labels)
        gil_wait = gauge(_GIL_WAIT.family, _GIL_WAIT.help, labels=labels)
        connections = gauge("cppasgi_worker_connections", _CONNECTIONS.help, labels=labels)
        memory = gauge(
            "cppasgi_worker_resident_bytes", "Memory of the worker's process.", labels=labels
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
            lag.add_metric(names, words[_LOOP_LAG.word] / _NANOSECONDS)
            gil_wait.add_metric(names, words[_GIL_WAIT.word] / _NANOSECONDS)
            connections.add_metric(names, words[_CONNECTIONS.word])
            process = _process(worker.pid)
            if process is not None:
                memory.add_metric(names, process.resident_bytes)
                cpu.add_metric(names, process.cpu_seconds)
        yield from (states, beat, lag, gil_wait, connections, memory, cpu)


class _Scrapes:
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


def _numbers(rows: Iterable[Row], words: list[int]) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    rows = list(rows)
    first = rows[0]
    family: CounterMetricFamily | GaugeMetricFamily
    make = CounterMetricFamily if first.kind == "counter" else GaugeMetricFamily
    family = make(first.family, first.help, labels=[first.label] if first.label else [])
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.value] = counts.get(row.value, 0) + words[row.word]
    # Of the hundreds of statuses and close codes only those that were seen.
    few = len(counts) <= _FEW
    for value, count in counts.items():
        if few or count:
            family.add_metric([value] if first.label else [], count)
    return family


_FEW = 32


def _histogram(rows: list[Row], words: list[int]) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    buckets: list[tuple[str, float]] = []
    total = 0
    for row in rows:
        if row.label == "le":
            total += words[row.word]
            buckets.append((row.value, total))
    seconds = sum(words[row.word] for row in rows if row.label == "sum") / _NANOSECONDS
    return HistogramMetricFamily(rows[0].family, rows[0].help, buckets=buckets, sum_value=seconds)


_Receive = Callable[[], Awaitable[Message]]
_Send = Callable[[Message], Awaitable[None]]
_Answer = tuple[int, str, bytes]  # status, content type, content


def _text(status: int, line: str) -> _Answer:
    return status, "text/plain; charset=utf-8", f"{line}\n".encode()
