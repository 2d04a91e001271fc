"""examples/monitoring: promtool takes rules and a real scrape, and every metric named exists."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from cppasgi.observing.board import LAYOUT, BoardSlot, MetricsBoard
from cppasgi.observing.monitoring import SupervisorStatus, WorkerStatus, monitoring_application

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "monitoring"
NAME = re.compile(r"\bcppasgi_\w+")


@pytest.fixture(scope="module")
def promtool() -> str:
    """Prometheus's own checker."""
    return subprocess.run(
        [ROOT / "scripts" / "prometheus-tool", "promtool"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def check(promtool: str, *args: str | Path, text: str | None = None) -> str:
    result = subprocess.run(
        [promtool, *args], input=text, capture_output=True, text=True, timeout=30
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def scrape() -> str:
    """The text of /metrics, with every number of the board above 0."""
    board = MetricsBoard.create(slots=1)
    slot: BoardSlot = board.allocate()
    for row in LAYOUT:
        board._block(slot.place)[row.word] = 1
    worker = WorkerStatus(1, slot, os.getpid(), "ready", time.monotonic())
    status = SupervisorStatus([worker], {"died": 1}, time.monotonic(), unready="", wanted=1)
    application = monitoring_application(board, lambda: status)
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/metrics", "method": "GET", "headers": []}
    with pytest.raises(StopIteration):
        application(scope, None, send).send(None)  # type: ignore[arg-type, attr-defined]
    board.close()
    body = sent[1]["body"]
    assert isinstance(body, bytes)
    return body.decode()


def exposed(scrape: str) -> set[str]:
    return {match[0] for line in scrape.splitlines() if (match := NAME.match(line))}


def test_promtool_finds_nothing_wrong_with_a_scrape(promtool: str, scrape: str) -> None:
    assert check(promtool, "check", "metrics", text=scrape) == ""


def test_every_family_of_the_board_is_in_the_scrape(scrape: str) -> None:
    names = exposed(scrape)
    families = {row.family for row in LAYOUT if row.kind in ("counter", "gauge")}
    families |= {f"{row.family}_bucket" for row in LAYOUT if row.kind == "histogram"}
    assert families <= names


def test_prometheus_takes_rules_and_configuration(promtool: str) -> None:
    assert "SUCCESS" in check(promtool, "check", "config", EXAMPLES / "prometheus.yml")
    rules = ROOT / "tests" / "data" / "monitoring" / "alerts_test.yml"
    assert "SUCCESS" in check(promtool, "test", "rules", rules)


def test_the_dashboard_and_the_rules_name_metrics_that_exist(scrape: str) -> None:
    names = exposed(scrape)
    dashboard = json.loads((EXAMPLES / "grafana-dashboard.json").read_text())
    expressions = [
        target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])
    ]
    assert len(expressions) > 20
    used = set(NAME.findall(" ".join(expressions)))
    used |= set(NAME.findall((EXAMPLES / "alerts.yml").read_text()))
    assert used <= names


def test_the_documentation_has_every_metric_and_no_other(scrape: str) -> None:
    documented = set(NAME.findall((ROOT / "docs" / "observing.md").read_text()))
    families = set(re.findall(r"^# TYPE (cppasgi_\w+) ", scrape, re.MULTILINE))
    families = {name for name in families if not name.endswith("_created")}
    assert {name.removesuffix("_bucket") for name in documented} == families


def test_the_values_of_labels_are_documented(scrape: str) -> None:
    text = (ROOT / "docs" / "observing.md").read_text()
    missing = [
        row.value
        for row in LAYOUT
        if row.label in ("limit", "reason", "result", "direction") and f"`{row.value}`" not in text
    ]
    assert missing == []
