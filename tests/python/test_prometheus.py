"""A real Prometheus with the rules of examples/monitoring: each alert fires when it should.

The rules are those of the file, but for their times, which are shortened. `PROVOCATIONS` says of
each alert what brings it about: a new alert needs a new line there.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from conftest import StartServer
from ports import free_port
from processes import workers_of
from server_process import ServerProcess
from waiting import wait_until
from websockets.sync.client import connect
from wire import CLOSE, TEXT, Wire, close_payload, handshake

pytestmark = pytest.mark.python_side

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "monitoring"
TIMES = {"[5m]": "[8s]", "[10m]": "[16s]", "[6h]": "[30s]"}
"""What takes the place of the rules' times; a scrape is every second."""
QUIET_SECONDS = 10
FIRING_SECONDS = 50

SERVERS: dict[str, tuple[str, ...]] = {
    "healthy": ("--workers", "1", "--ping-interval", "1"),
    "failing": (),
    "lossy": ("--access-log", "/dev/full"),
    "busy": (),
    "stuck": ("--worker-timeout", "0"),
    "replaced": ("--worker-timeout", "2"),
    "dying": (),
    "short": ("--workers", "2"),
    "full": ("--limit-concurrency", "3"),
}
"""Each with its flags. None answers for ``down``."""


class Provocation(NamedTuple):
    """What has an alert fire: one round of it, which is repeated until it does."""

    alert: str
    server: str
    round: Callable[[ServerProcess], object]


def nothing(_: ServerProcess) -> None: ...


def get(path: str) -> Callable[[ServerProcess], object]:
    return lambda process: process.get(path)


def block_for_good(process: ServerProcess) -> None:
    with process.connect() as wire:
        wire.request("/block/1000")
        wire.sock.settimeout(60)
        wire.read_to_end()


def leave_within(process: ServerProcess) -> None:
    with process.connect() as wire:
        wire.request("/started-then-sleep/60")
        wire.read_until(b"begin")
        wire.reset()


def wait_long(process: ServerProcess) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(process.connect()) for _ in range(10)]
        for wire in wires:
            wire.request("/sleep/1.5")
        for wire in wires:
            wire.response()


def break_handshakes(process: ServerProcess) -> None:
    with process.connect() as wire:
        wire.send(handshake("/echo/any", key="Sec-WebSocket-Key: x"))
        assert wire.response().status == 400


def drop_websockets(process: ServerProcess) -> None:
    for _ in range(3):
        process.connect().upgraded("/echo/any").reset()


def read_nothing(process: ServerProcess) -> None:
    address = (process.host, process.port)
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire.open(address, receive_buffer=4096)) for _ in range(5)]
        for wire in wires:
            wire.upgraded("/flood/any")
        time.sleep(0.3)
        for wire in wires:
            wire.reset()


def crowd(process: ServerProcess) -> None:
    with ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(process.connect())
        time.sleep(0.3)


def write_much(process: ServerProcess) -> None:
    with process.connect() as wire:
        for _ in range(50):
            assert wire.get("/status/204?" + "x" * 8000).status == 204


def kill_worker(process: ServerProcess) -> None:
    """One that has started: else nobody was started in its place."""
    latest = int(re.findall(r"is ready, process (\d+)", process.log())[-1])
    if latest in workers_of(process):
        os.kill(latest, signal.SIGKILL)


def keep_memory(process: ServerProcess) -> None:
    if process.get("/keep/600000000").status_code == 200:
        time.sleep(FIRING_SECONDS)


PROVOCATIONS = [
    Provocation("CppasgiDown", "down", nothing),
    Provocation("CppasgiNotReady", "stuck", block_for_good),
    Provocation("CppasgiWorkerStuck", "stuck", nothing),
    Provocation("CppasgiStuckWorkersReplaced", "replaced", block_for_good),
    Provocation("CppasgiWorkersDie", "dying", kill_worker),
    Provocation("CppasgiWorkersMissing", "short", kill_worker),
    Provocation("CppasgiErrors", "failing", get("/raise-before")),
    Provocation("CppasgiRequestsCut", "failing", leave_within),
    Provocation("CppasgiSlowRequests", "failing", wait_long),
    Provocation("CppasgiLoopLag", "busy", get("/block/0.8")),
    Provocation("CppasgiGilWait", "busy", get("/compute/3")),
    Provocation("CppasgiHandshakesFail", "failing", break_handshakes),
    Provocation("CppasgiWebSocketsDrop", "failing", drop_websockets),
    Provocation("CppasgiSlowReaders", "failing", read_nothing),
    Provocation("CppasgiConnectionsRefused", "full", crowd),
    Provocation("CppasgiLogLinesLost", "lossy", write_much),
    Provocation("CppasgiMemoryGrows", "failing", keep_memory),
]


class Prometheus:
    """The process, and what it knows."""

    def __init__(self, folder: Path, targets: dict[str, int]) -> None:
        rules = (EXAMPLES / "alerts.yml").read_text()
        rules = re.sub(r"\[\w+\]", lambda found: TIMES[found[0]], rules)
        rules = re.sub(r"\bfor: \d+[ms]", "for: 1s", rules)
        (folder / "alerts.yml").write_text(rules)
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["alerts.yml"],
            "scrape_configs": [
                {
                    "job_name": "cppasgi",
                    "static_configs": [
                        {"targets": [f"127.0.0.1:{port}"], "labels": {"instance": name}}
                        for name, port in targets.items()
                    ],
                }
            ],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))  # which is YAML too
        program = subprocess.run(
            [ROOT / "scripts" / "prometheus-tool", "prometheus"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        port = free_port()
        self._log = folder / "prometheus.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    program,
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stderr=log,
            )
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False
        )

    def log(self) -> str:
        return self._log.read_text()

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log()
        with suppress(httpx.TransportError):
            return self._client.get("/-/ready").status_code == 200
        return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = self._client.get("/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, (expression, answer.text)
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    def fired(self) -> set[tuple[str, str]]:
        """Alerts and instances of all that has fired so far."""
        firing = self.query('count_over_time(ALERTS{alertstate="firing"}[10m])')
        return {(each["metric"]["alertname"], each["metric"]["instance"]) for each in firing}

    def stop(self) -> None:
        self._client.close()
        self.process.terminate()
        self.process.wait(20)


def lead_a_healthy_life(process: ServerProcess) -> None:
    """Requests and a WebSocket that end as they should."""
    with process.connect() as wire:
        for _ in range(10):
            assert wire.get("/").status == 200
        wire.get("/no-such-path")
    with process.connect().upgraded("/echo/any") as wire:
        wire.send_frame(TEXT, "one")
        wire.read_frame()
        wire.send_frame(CLOSE, close_payload(1000))
        wire.read_close()


class Repeated:
    """A round again and again, in a thread of its own, until it is left."""

    def __init__(self, round: Callable[[ServerProcess], object], process: ServerProcess) -> None:
        self._round = round
        self._process = process
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()  # without waiting for a round that lasts

    def _run(self) -> None:
        while not self._ended.wait(0.2):
            # What is provoked isn't always answered.
            with suppress(OSError, EOFError, httpx.TransportError):
                self._round(self._process)


@pytest.fixture
def running(
    server: StartServer, tmp_path: Path
) -> Iterator[tuple[Prometheus, dict[str, ServerProcess]]]:
    ports = {name: free_port() for name in (*SERVERS, "down")}
    processes = {
        name: server(
            "apps.troubles:app", "--metrics", f"127.0.0.1:{ports[name]}", *flags, listen=False
        )
        for name, flags in SERVERS.items()
    }
    for process in processes.values():
        process.wait_until_listening()
    prometheus = Prometheus(tmp_path, ports)
    try:
        yield prometheus, processes
    finally:
        for process in processes.values():  # those that are stuck too
            for worker in workers_of(process):
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            process.process.kill()
        prometheus.stop()


def dashboard_queries() -> list[str]:
    dashboard = json.loads((EXAMPLES / "grafana-dashboard.json").read_text())
    texts = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return [text.replace("$__rate_interval", "1m").replace("$instance", ".*") for text in texts]


def has_data(result: list[dict[str, Any]]) -> bool:
    return any(each["value"][1] != "NaN" for each in result)


def test_every_alert_has_a_provocation() -> None:
    alerts = re.findall(r"alert: (\w+)", (EXAMPLES / "alerts.yml").read_text())
    assert sorted(alerts) == sorted(each.alert for each in PROVOCATIONS)


@pytest.mark.timeout(120)
def test_each_alert_fires_and_none_without_a_reason(
    running: tuple[Prometheus, dict[str, ServerProcess]],
) -> None:
    prometheus, processes = running
    wait_until(prometheus.is_ready, 20)
    with ExitStack() as stack:
        stack.enter_context(Repeated(lead_a_healthy_life, processes["healthy"]))
        stack.enter_context(connect(f"{processes['healthy'].ws_url}/echo/any"))  # answers pings
        time.sleep(QUIET_SECONDS)
        down = ("CppasgiDown", "down")
        wait_until(lambda: down in prometheus.fired(), 20)
        assert prometheus.fired() == {down}

        for each in PROVOCATIONS:
            if each.round is not nothing:
                stack.enter_context(Repeated(each.round, processes[each.server]))
        expected = {(each.alert, each.server) for each in PROVOCATIONS}
        end = time.monotonic() + FIRING_SECONDS
        while not expected <= prometheus.fired():
            missing = expected - prometheus.fired()
            assert time.monotonic() < end, f"{missing} did not fire"
            time.sleep(0.5)
        empty = [text for text in dashboard_queries() if not has_data(prometheus.query(text))]
        assert empty == []
