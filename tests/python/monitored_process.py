"""One running apps/monitored.py, its own supervisor and its only worker, and what it says."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from wire import Wire

HERE = Path(__file__).parent


class Monitored:
    """One running apps/monitored.py."""

    def __init__(self, folder: Path, site: str, arguments: dict[str, object]) -> None:
        self._log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "apps.monitored", site, json.dumps(arguments)],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.monitoring, self.site, self.unready = (
            (host, port) for host, port in json.loads(self.line())
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, Path(self._log.name).read_text()
        return line

    def enter(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
        self._log.close()

    @property
    def address(self) -> str:
        return f"{self.monitoring[0]}:{self.monitoring[1]}"

    def get(self, path: str, unready: bool = False, method: str = "GET") -> httpx.Response:
        host, port = self.unready if unready else self.monitoring
        with httpx.Client(timeout=10, trust_env=False) as client:
            return client.request(method, f"http://{host}:{port}{path}")

    def metrics(self) -> dict[str, float]:
        """Every sample, by its name with labels as in the text."""
        found = {}
        for family in text_string_to_metric_families(self.get("/metrics").text):
            for sample in family.samples:
                labels = ",".join(
                    f'{name}="{value}"' for name, value in sorted(sample.labels.items())
                )
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return found

    def metric(
        self, name: str, expected: float, timeout: float = 5, *, at_least: bool = False
    ) -> None:
        """Waits until the sample has this value, or at least."""
        end = time.monotonic() + timeout
        while (value := self.metrics().get(name)) != expected:
            if at_least and value is not None and value > expected:
                break
            assert time.monotonic() < end, f"{name} is {value}, not {expected}"
            time.sleep(0.02)

    def connect(self) -> Wire:
        return Wire.open(self.site)


Start = Callable[..., Monitored]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts such processes, and ends them."""
    started: list[Monitored] = []

    def start(site: str = "apps.probe:app", **arguments: object) -> Monitored:
        started.append(Monitored(tmp_path_factory.mktemp("monitored"), site, arguments))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture(scope="module")
def monitored(start: Start) -> Monitored:
    """One for all tests that only look; those that count look at differences."""
    return start()
