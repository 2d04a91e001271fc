"""What the supervisor answers about its workers: an ASGI application for a port of its own.

``/metrics`` is Prometheus text, ``/status`` JSON, ``/healthz`` says that the supervisor lives,
``/readyz`` whether the service is ready. All comes from the board
(`cppasgi.observing.board`), from /proc and from what the supervisor says of its workers, so it
answers while the application is busy. Needs the extra ``metrics``, PyPI prometheus-client.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cppasgi._native import __version__
from cppasgi.observing.board import GIL_WAIT, LOOP_LAG, NANOSECONDS, BoardSlot, MetricsBoard, rows
from cppasgi.observing.process_usage import process_usage

if TYPE_CHECKING:
    from cppasgi.settings.asgi import Application, Message, Receive, Send

WorkerState = Literal["starting", "ready", "stuck", "draining"]
STATES: tuple[WorkerState, ...] = ("starting", "ready", "stuck", "draining")

_OPEN_METRICS = "application/openmetrics-text"


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
        restarts: how many workers have died or were replaced so far, by reason.
        started: when it was, on ``time.monotonic()``'s clock.
        unready: why clients should be sent elsewhere; empty when they are served.
        wanted: how many workers there are to be.
        missing: numbers of the workers that should serve and don't run, or don't yet.
    """

    workers: list[WorkerStatus]
    restarts: dict[str, int]
    started: float
    unready: str
    wanted: int
    missing: list[int] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """Whether clients are served well enough to send more of them."""
        return not self.unready


def check_metrics() -> None:
    """Makes sure that metrics can be had.

    Raises:
        ImportError: prometheus_client can't be imported; the text is one line.
    """
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        raise ImportError(
            "metrics need the library prometheus-client: pip install 'cppasgi[metrics]'"
        ) from None


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
    check_metrics()
    import prometheus_client.exposition
    import prometheus_client.process_collector
    import prometheus_client.registry

    from cppasgi.observing.exposition import Collector, Scrapes

    registry = prometheus_client.registry.CollectorRegistry(auto_describe=False)
    registry.register(Collector(board, status))
    prometheus_client.process_collector.ProcessCollector(registry=registry)

    scrapes = Scrapes(registry)

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
            missing = [f"worker {number} is missing" for number in now.missing]
            return _text(200, ", but ".join(["ready", *missing, *stuck]))
        return _text(503, f"not ready: {', '.join([now.unready, *stuck])}")

    pages: dict[str, Callable[[str], _Answer]] = {
        "/metrics": metrics,
        "/status": status_json,
        "/healthz": lambda _accept: _text(200, "alive"),
        "/readyz": readiness,
    }

    async def application(scope: Message, receive: Receive, send: Send) -> None:
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
        "unready": status.unready,
        "missing": status.missing,
        "uptime": now - status.started,
        "restarts": status.restarts,
        "totals": _summary(board.totals()),
        "workers": [_describe_worker(board, worker, now) for worker in status.workers],
    }


def _describe_worker(board: MetricsBoard, worker: WorkerStatus, now: float) -> dict[str, Any]:
    words = board.read(worker.slot)
    process = process_usage(worker.pid)
    return {
        "number": worker.number,
        "pid": worker.pid,
        "state": worker.state,
        "uptime": now - worker.started,
        "heartbeat_age": board.heartbeat_age(worker.slot),
        "loop_lag": words[LOOP_LAG.word] / NANOSECONDS,
        "gil_wait": words[GIL_WAIT.word] / NANOSECONDS,
        "resident_bytes": process and process.resident_bytes,
        "cpu_seconds": process and process.cpu_seconds,
        **_summary(words),
    }


_SUMMARY = {
    "connections": rows("cppasgi_connections"),
    "websockets": rows("cppasgi_websocket_connections"),
    "application_calls": rows("cppasgi_application_calls"),
    "queued_messages": rows("cppasgi_websocket_queued_messages"),
    "requests": rows("cppasgi_http_requests_total"),
    "messages": rows("cppasgi_websocket_messages_total"),
    "limits": rows("cppasgi_limits_total"),
    "received_bytes": rows("cppasgi_received_bytes_total"),
    "sent_bytes": rows("cppasgi_sent_bytes_total"),
}


def _summary(words: list[int]) -> dict[str, int]:
    return {name: sum(words[row.word] for row in rows) for name, rows in _SUMMARY.items()}


_Answer = tuple[int, str, bytes]  # status, content type, content


def _text(status: int, line: str) -> _Answer:
    return status, "text/plain; charset=utf-8", f"{line}\n".encode()
