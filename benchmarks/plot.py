"""Draws the rows as bars, each as a share of the best rival, into a PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from measuring import Sample
from report import best_rival, median
from workloads import Workload

MOST = 4.0  # shares above it are cut off, so that one slow server doesn't flatten all others


def draw(
    samples: Sequence[Sample], workloads: Sequence[Workload], names: Sequence[str], path: Path
) -> None:
    """Write one group of horizontal bars for each workload that has a rival's figure."""
    rows = [workload for workload in workloads if best_rival(samples, workload.name)]
    figure, axes = pyplot.subplots(figsize=(9, 1 + len(rows) * (0.12 * len(names) + 0.25)))
    height = 0.8 / len(names)
    for place, name in enumerate(names):
        at: list[float] = []
        shares: list[float] = []
        for number, workload in enumerate(rows):
            rival = best_rival(samples, workload.name)
            mine = median(samples, workload.name, name, "value")
            base = median(samples, workload.name, rival, "value") if rival else None
            if mine is not None and base:
                at.append(number + (place - (len(names) - 1) / 2) * height)
                shares.append(min(MOST, mine / base))
        axes.barh(at, shares, height, label=name)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [workload.title for workload in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, MOST)
    axes.set_xlabel(f"share of the best other server (cut off at {MOST:g}); less is better")
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
