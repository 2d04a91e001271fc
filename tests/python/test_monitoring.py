"""/metrics, /status, /healthz and /readyz of cppasgi.observing.monitoring.

The process under test (apps/monitored.py) is its own supervisor and its only worker.
"""

from __future__ import annotations

import platform
import resource
import time
from contextlib import ExitStack

import httpx
import pytest
from monitored_process import Monitored, Start, monitored, start
from wire import BINARY, CLOSE, TEXT, close_payload

import cppasgi

__all__ = ["monitored", "start"]

pytestmark = pytest.mark.python_side


def test_requests_are_counted_by_status_and_timed(start: Start) -> None:
    monitored = start()
    with monitored.connect() as wire:
        for _ in range(3):
            wire.get("/no-such-path")
        status = wire.get("/no-such-path").status
    monitored.metric(f'cppasgi_http_requests_total{{status="{status}"}}', 4)
    metrics = monitored.metrics()
    assert metrics["cppasgi_http_request_duration_seconds_count"] == 4
    assert metrics['cppasgi_http_request_duration_seconds_bucket{le="+Inf"}'] == 4
    assert 0 < metrics["cppasgi_http_request_duration_seconds_sum"] < 4
    assert metrics["cppasgi_received_bytes_total"] > 100
    assert metrics["cppasgi_sent_bytes_total"] > 100


def test_the_usual_series_are_there_from_the_start(start: Start) -> None:
    """Else the first count of each would be lost to increase()."""
    metrics = start().metrics()
    for status in (200, 404, 499, 500, 503, "cut"):
        assert metrics[f'cppasgi_http_requests_total{{status="{status}"}}'] == 0
    for code in (1000, 1001, 1006, 1011, 1012, 1013):
        assert metrics[f'cppasgi_websocket_disconnects_total{{code="{code}"}}'] == 0
    assert metrics['cppasgi_worker_restarts_total{reason="exited"}'] == 2
    assert not any("418" in name or "4002" in name for name in metrics)
    assert len(metrics) < 400


def test_the_process_has_its_open_files_and_its_start(start: Start) -> None:
    monitored = start()
    pid = monitored.process.pid
    labels = f'{{pid="{pid}",worker="0"}}'
    before = monitored.metrics()
    assert before[f"cppasgi_worker_open_files{labels}"] > 5
    soft, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    assert before[f"cppasgi_worker_max_open_files{labels}"] == soft
    assert abs(time.time() - before["process_start_time_seconds"]) < 60
    assert before["cppasgi_workers_wanted"] == 1
    version = platform.python_version()
    build = f'cppasgi_build_info{{python="{version}",version="{cppasgi.__version__}"}}'
    assert before[build] == 1
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(monitored.connect())
        monitored.metric("cppasgi_connections", 20)
        name = f"cppasgi_worker_open_files{labels}"
        monitored.metric(name, before[name] + 20, at_least=True)


def test_a_websocket_is_counted_from_handshake_to_close(start: Start) -> None:
    monitored = start()
    with monitored.connect().upgraded("/echo/any") as wire:
        monitored.metric("cppasgi_websocket_connections", 1)
        monitored.metric("cppasgi_application_calls", 1)
        wire.send_frame(TEXT, "one")
        wire.send_frame(BINARY, b"two")
        wire.read_frame(), wire.read_frame()
        wire.send_frame(CLOSE, close_payload(4002))
        assert wire.read_close() == 4002
    with monitored.connect() as wire:
        assert wire.upgrade("/no-such-path").status == 403
    monitored.metric("cppasgi_websocket_connections", 0)
    monitored.metric("cppasgi_connections", 0)
    metrics = monitored.metrics()
    assert metrics['cppasgi_websocket_messages_total{direction="in"}'] == 2
    assert metrics['cppasgi_websocket_messages_total{direction="out"}'] == 2
    assert metrics['cppasgi_websocket_handshakes_total{result="accepted"}'] == 1
    assert metrics['cppasgi_websocket_handshakes_total{result="rejected"}'] == 1
    assert metrics['cppasgi_websocket_handshake_failures_total{reason="forbidden"}'] == 1
    assert metrics['cppasgi_websocket_disconnects_total{code="4002"}'] == 1
    assert metrics["cppasgi_websocket_send_duration_seconds_count"] == 2
    assert metrics["cppasgi_websocket_queued_messages"] == 0


def test_limits_are_counted_by_the_name_of_their_flag(start: Start) -> None:
    monitored = start(limit_request_line=100, limit_concurrency=2)
    with monitored.connect() as wire:
        assert wire.get("/" + "x" * 200).status == 414
    monitored.metric('cppasgi_limits_total{limit="limit_request_line"}', 1)
    monitored.metric("cppasgi_connections", 0)
    with monitored.connect() as one, monitored.connect() as two, monitored.connect() as three:
        one.get("/root")
        two.get("/root")
        assert three.response().status == 503
    monitored.metric('cppasgi_limits_total{limit="limit_concurrency"}', 1)
    monitored = start(limit_websocket_unfinished=1_000_000, timeout_websocket_message=0.5)
    with (
        monitored.connect().upgraded("/echo/any") as first,
        monitored.connect().upgraded("/echo/any") as second,
    ):
        first.send_frame(BINARY, bytes(900_000), fin=False)
        monitored.metric("cppasgi_received_bytes_total", 900_000, at_least=True)
        second.send_frame(BINARY, bytes(900_000), fin=False)
        assert second.read_close() == 1013
        assert first.read_close() == 1008
    monitored.metric('cppasgi_limits_total{limit="limit_websocket_unfinished"}', 1)
    monitored.metric('cppasgi_limits_total{limit="timeout_websocket_message"}', 1)


def test_calls_that_have_to_be_cancelled_are_counted(start: Start) -> None:
    monitored = start("apps.lingers:app", application_close_timeout=0.1, graceful_timeout=0.1)
    with monitored.connect() as wire:
        wire.get("/http")
    monitored.metric('cppasgi_limits_total{limit="application_close_timeout"}', 1)
    with monitored.connect().upgraded("/websocket"):
        monitored.enter()
        assert monitored.line() == "retired\n"
    assert monitored.metrics()['cppasgi_limits_total{limit="graceful_timeout"}'] == 1


def test_totals_stay_when_the_worker_ends(start: Start) -> None:
    monitored = start()
    with monitored.connect().upgraded("/echo/any") as wire:
        monitored.enter()
        wire.send_frame(CLOSE, close_payload(wire.read_close() or 0))
    assert monitored.line() == "retired\n"
    metrics = monitored.metrics()
    assert metrics['cppasgi_websocket_handshakes_total{result="accepted"}'] == 1
    assert metrics['cppasgi_websocket_disconnects_total{code="1001"}'] == 1
    assert metrics["cppasgi_websocket_connections"] == 0
    assert not [name for name in metrics if name.startswith("cppasgi_worker_connections")]


def test_metrics_have_the_workers(monitored: Monitored) -> None:
    metrics = monitored.metrics()
    worker = f'pid="{monitored.process.pid}",worker="0"'
    assert metrics["cppasgi_ready"] == 1
    assert metrics['cppasgi_worker_restarts_total{reason="exited"}'] == 2
    states = {name: value for name, value in metrics.items() if "_worker_state{" in name}
    assert [name for name, value in states.items() if value] == [
        f'cppasgi_worker_state{{pid="{monitored.process.pid}",state="ready",worker="0"}}'
    ]
    assert len(states) == 4
    assert metrics[f"cppasgi_worker_resident_bytes{{{worker}}}"] > 1_000_000
    assert metrics[f"cppasgi_worker_cpu_seconds_total{{{worker}}}"] > 0
    assert metrics[f"cppasgi_worker_connections{{{worker}}}"] == 0


def test_openmetrics_is_answered_to_who_asks_for_it(monitored: Monitored) -> None:
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    response = httpx.get(f"http://{monitored.address}/metrics", headers=accept, trust_env=False)
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


def test_status_is_json(monitored: Monitored) -> None:
    status = monitored.get("/status").json()
    assert status["ready"] is True
    assert status["restarts"] == {"exited": 2}
    (worker,) = status["workers"]
    assert (worker["number"], worker["state"]) == (0, "ready")
    assert worker["pid"] == monitored.process.pid
    assert worker["heartbeat_age"] is None or worker["heartbeat_age"] >= 0  # after a second
    assert worker["connections"] == status["totals"]["connections"]


@pytest.mark.parametrize(
    ("path", "unready", "method", "status", "text"),
    [
        ("/healthz", False, "GET", 200, "alive\n"),
        ("/healthz", True, "GET", 200, "alive\n"),
        ("/readyz", False, "GET", 200, "ready\n"),
        ("/readyz", True, "GET", 503, "not ready: out of luck\n"),
        ("/readyz", False, "HEAD", 200, ""),
        ("/readyz", False, "POST", 405, "GET or HEAD only\n"),
        ("/other", False, "GET", 404, "here are /metrics, /status, /healthz, /readyz\n"),
    ],
)
def test_answers(
    monitored: Monitored, path: str, unready: bool, method: str, status: int, text: str
) -> None:
    response = monitored.get(path, unready, method)
    assert (response.status_code, response.text) == (status, text)
    assert response.headers["cache-control"] == "no-store"
