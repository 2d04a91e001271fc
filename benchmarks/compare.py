"""Compares two builds of cppasgi, interleaved; ``compare`` builds them and calls this."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from main import (
    add_measuring_options,
    check_measuring_options,
    installed,
    measure,
    print_facts,
)
from measuring import Sample
from report import OWN, figures, markdown, ratios, spread
from servers import SERVERS
from workloads import Workload

MOST = 1.05
DEFAULT_WORKLOADS = (
    "hello,hello-1,hello-pipelined,post,stream,upload,ws,ws-in-flight,ws-16k,ws-open"
)


def table(samples: Sequence[Sample], workloads: Sequence[Workload]) -> str:
    """Return one Markdown row for each workload: both figures and their ratio, round by round."""
    rows = []
    for workload in workloads:
        ratio = spread(ratios(samples, workload.name, "head", "base"), 3)
        rows.append([workload.title, *figures(samples, workload, ["base", "head"]), ratio])
    return markdown(["workload", "base", "head", "head / base: median (min to max)"], rows)


def slower(samples: Sequence[Sample], workloads: Sequence[Workload]) -> list[str]:
    """Return every row in which head takes more than ``MOST`` of base, or that wasn't measured."""
    lines = []
    for workload in workloads:
        found = ratios(samples, workload.name, "head", "base")
        if not found:
            lines.append(f"{workload.title}: not measured")
        elif (share := statistics.median(found)) > MOST:
            lines.append(f"{workload.title}: {share:.3f} of base, at most {MOST} is allowed")
    return lines


def main() -> int:
    """Run the comparison; return the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks/compare", description=__doc__)
    parser.add_argument("base", type=Path, metavar="BASE")
    parser.add_argument("head", type=Path, metavar="HEAD")
    add_measuring_options(parser)
    options = parser.parse_args()
    options.workloads = options.workloads or DEFAULT_WORKLOADS
    check_measuring_options(parser, options)
    own = SERVERS[OWN]
    servers = [replace(own, name=name, python=getattr(options, name)) for name in ("base", "head")]
    if len(installed(servers)) != len(servers):
        return 2
    results, facts = measure(servers, options)
    print(table(results.samples, options.workloads))
    print()
    print_facts(results, facts, options)
    lines = slower(results.samples, options.workloads)
    for line in lines:
        print(f"*** SLOWER: {line}", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
