"""Turns samples into ratios, a Markdown table and the list of aims that were missed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence

from measuring import Sample
from servers import SERVERS
from workloads import Workload

OWN = "cppasgi"
RIVALS = {server.name for server in SERVERS.values() if not server.is_floor} - {OWN}


def values(samples: Iterable[Sample], workload: str, server: str, field: str) -> dict[int, float]:
    """Return one field of a server's samples under a workload, by round."""
    return {
        sample.round: getattr(sample, field)
        for sample in samples
        if (sample.workload, sample.server) == (workload, server)
    }


def median(samples: Iterable[Sample], workload: str, server: str, field: str) -> float | None:
    """Return the median over the rounds; None when nothing was measured."""
    found = values(samples, workload, server, field)
    return statistics.median(found.values()) if found else None


def lower_quartile(figures: Sequence[float]) -> float | None:
    """Return the lower quartile of one figure from each round; None for fewer than four.

    What else a machine does only adds to a figure, so the quarter of the rounds that it disturbed
    least is nearest to what the server takes by itself.
    """
    return statistics.quantiles(figures, n=4)[0] if len(figures) >= 4 else None


def quiet(
    samples: Iterable[Sample], workload: str, server: str, field: str = "value"
) -> float | None:
    """Return the lower quartile of a field over the rounds; None for fewer than four."""
    return lower_quartile(list(values(samples, workload, server, field).values()))


def best_rival(
    samples: Sequence[Sample],
    workload: str,
    statistic: Callable[[Sequence[Sample], str, str, str], float | None] = median,
) -> str | None:
    """Return the other server whose ``statistic`` is lowest; None when no other has one."""
    rivals = {
        name: found
        for name in dict.fromkeys(sample.server for sample in samples)
        if name in RIVALS and (found := statistic(samples, workload, name, "value")) is not None
    }
    return min(rivals, key=lambda name: rivals[name]) if rivals else None


def ratios(samples: Sequence[Sample], workload: str, server: str, base: str) -> list[float]:
    """Return the figure of ``server`` as a share of ``base``'s, round by round."""
    mine = values(samples, workload, server, "value")
    theirs = values(samples, workload, base, "value")
    return [mine[number] / theirs[number] for number in mine if number in theirs]


def quiet_share(samples: Sequence[Sample], workload: str) -> str:
    """Format the lower quartile of cppasgi as a share of the lowest one of the others."""
    mine = quiet(samples, workload, OWN)
    rival = best_rival(samples, workload, quiet)
    theirs = quiet(samples, workload, rival) if rival else None
    return f"{mine / theirs:.2f} of {rival}" if mine and theirs else "-"


def spread(numbers: Sequence[float], digits: int) -> str:
    """Format a median with its minimum and maximum."""
    if not numbers:
        return "-"
    middle, low, high = statistics.median(numbers), min(numbers), max(numbers)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def figure(number: float | None) -> str:
    """Format microseconds with three digits at least: 1.23, 12.3, 123, 1,234."""
    if number is None:
        return "-"
    return f"{number:,.0f}" if number >= 100 else f"{number:.{1 if number >= 10 else 2}f}"


def figures(samples: Sequence[Sample], workload: Workload, names: Sequence[str]) -> list[str]:
    """Format the median figure of each server."""
    return [figure(median(samples, workload.name, name, "value")) for name in names]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """Return a Markdown table whose first ``texts`` columns are text, all others numbers."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * texts + "--:|" * (len(head) - texts)]
    return "\n".join([*lines, *(f"| {' | '.join(cells)} |" for cells in rows)])


def overview(samples: Sequence[Sample], workloads: Sequence[Workload], names: list[str]) -> str:
    """Return one Markdown table: a row for each workload, the median figure of each server."""
    rows = []
    for workload in workloads:
        rival = best_rival(samples, workload.name)
        share = spread(ratios(samples, workload.name, OWN, rival), 2) if rival else "-"
        if rival and share != "-":
            share += f" of {rival}"
        cells = figures(samples, workload, names)
        quietly = quiet_share(samples, workload.name)
        rows.append([workload.title, *cells, share, quietly, f"{workload.aim}"])
    return markdown(["workload", *names, "share of the best rival", "when quiet", "aim"], rows)


def details(samples: Sequence[Sample], workloads: Sequence[Workload], names: list[str]) -> str:
    """Return one Markdown table with all figures of each workload and server."""
    head = ["workload", "server", "median (min to max)", "per second", "server core busy"]
    head += ["p50 us", "p99 us", "p99.9 us"]
    rows = []
    fields = ("per_second", "server_core_busy", "p50_us", "p99_us", "p999_us")
    for workload in workloads:
        for name in names:
            cpu = list(values(samples, workload.name, name, "value").values())
            if not cpu:
                continue
            middle = [median(samples, workload.name, name, field) or 0.0 for field in fields]
            cells = [workload.name, name, spread(cpu, 2), f"{middle[0]:,.0f}", f"{middle[1]:.0%}"]
            cells += [figure(number) for number in middle[2:]]
            if not middle[0]:  # nothing loads the server in this row
                cells[3:] = "-" * len(fields)
            rows.append(cells)
    return markdown(head, rows, texts=2)


def missed(samples: Sequence[Sample], workloads: Sequence[Workload]) -> list[str]:
    """Return every aim that cppasgi misses; one that was not measured is missed too."""
    lines = []
    for workload in workloads:
        rival = best_rival(samples, workload.name)
        found = ratios(samples, workload.name, OWN, rival) if rival else []
        if not found:
            lines.append(f"{workload.title}: not measured")
        elif (share := statistics.median(found)) > workload.aim:
            lines.append(f"{workload.title}: {share:.2f} of {rival}, the aim is {workload.aim}")
    return lines
