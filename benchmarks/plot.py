"""Draws into a PNG: the rows as bars, each as a share of the best rival; growth as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.figure import Figure

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
    _save(figure, path)


@dataclass(frozen=True)
class Diagram:
    """One diagram of lines.

    Attributes:
        title: What it says above.
        unit: What the points count.
        points: The values that are marked below, ascending.
        lines: By name, pairs of a point and a figure.
    """

    title: str
    unit: str
    points: Sequence[int]
    lines: Mapping[str, Sequence[tuple[int, float]]]


def draw_lines(diagrams: Sequence[Diagram], path: Path) -> None:
    """Write the diagrams side by side, both scales logarithmic."""
    figure, cells = pyplot.subplots(1, len(diagrams), figsize=(5 * len(diagrams), 4), squeeze=False)
    for axes, diagram in zip(cells[0], diagrams, strict=True):
        for name, line in diagram.lines.items():
            if line:
                axes.plot(*zip(*line, strict=True), marker="o", label=name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(diagram.points, [f"{point:,}" for point in diagram.points], rotation=45)
        axes.xaxis.minorticks_off()
        axes.set_title(diagram.title)
        axes.set_xlabel(diagram.unit)
        axes.set_ylabel("CPU µs per request")
        axes.grid(visible=True, which="both", alpha=0.3)
    cells[0][0].legend()
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=120)
