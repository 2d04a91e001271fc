"""Measures how the CPU time per request grows with connections, message size and header fields.

``growth`` calls this. Each server answers the same requests as in ``run``, at each point of an
axis. Prints a table for each axis, and draws them as lines into a PNG.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import report
from loads import Http, WebSocket
from main import (
    add_load_options,
    add_servers_option,
    check_load_options,
    measure,
    named_servers,
    print_facts,
    some_installed,
)
from measuring import Sample
from servers import SERVERS, Server
from workloads import HELLO, Workload

MIB = 1 << 20
# What the servers' defaults don't allow; beside the flags for many connections.
LARGE_MESSAGES = {
    "cppasgi": " --websocket-max-message-size 33554432 --websocket-max-frame-size 33554432",
}


@dataclass(frozen=True)
class Axis:
    """One quantity that grows.

    Attributes:
        title: What the table and the picture call it.
        unit: What the points count.
        points: The values, ascending.
        load: Makes the load of a point.
    """

    title: str
    unit: str
    points: tuple[int, ...]
    load: Callable[[int], Http | WebSocket]

    def workloads(self, name: str) -> list[Workload]:
        """Return one workload for each point."""
        return [
            Workload(f"{name}-{point}", f"{point:,} {self.unit}", 1.0, self.load(point))
            for point in self.points
        ]

    def line(self, name: str, samples: Sequence[Sample], server: str) -> list[tuple[int, float]]:
        """Return the points that a server has a figure for, with it."""
        found = (
            report.median(samples, f"{name}-{point}", server, "value") for point in self.points
        )
        pairs = zip(self.points, found, strict=True)
        return [(point, value) for point, value in pairs if value is not None]


CONNECTIONS = (1, 8, 64, 512, 4096, 10_000)
AXES = {
    "connections": Axis(
        "HTTP hello, keep-alive",
        "connections",
        CONNECTIONS,
        lambda count: Http("/", HELLO, connections=count),
    ),
    "websockets": Axis(
        "WebSocket echo 64 B",
        "connections",
        CONNECTIONS,
        lambda count: WebSocket(size=64, connections=count),
    ),
    "size": Axis(
        "WebSocket echo, binary, 4 connections",
        "bytes",
        (16, 256, 4096, 65_536, MIB, 16 * MIB),
        lambda size: WebSocket(size=size, type="binary", connections=4),
    ),
    "headers": Axis(
        "HTTP hello, request with that many fields",
        "header fields",
        (2, 8, 16, 32, 64),
        lambda count: Http("/", HELLO, fields=count),
    ),
}


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/growth", description=(__doc__ or "").split("\n")[0]
    )
    add_servers_option(parser)
    parser.add_argument("--axes", default=",".join(AXES), help=f"comma list of {', '.join(AXES)}")
    add_load_options(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples to FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the axes as lines, a PNG")
    options = parser.parse_args()
    options.axes = options.axes.split(",")
    if unknown := set(options.axes) - set(AXES):
        parser.error(f"unknown axis: {', '.join(sorted(unknown))}")
    check_load_options(parser, options)
    options.servers = [
        for_growth(server) for server in named_servers(parser, options.servers.split(","), SERVERS)
    ]
    options.idle = 0
    return options


def for_growth(server: Server) -> Server:
    """Return the server with the flags that the largest points need."""
    flags = server.for_many + LARGE_MESSAGES.get(server.name, "")
    return replace(server, command=server.command + flags)


def main() -> int:
    """Run the comparison; return the exit status."""
    options = parse_options()
    servers = some_installed(options.servers)
    workloads = {name: AXES[name].workloads(name) for name in options.axes}
    options.workloads = [each for of_axis in workloads.values() for each in of_axis]
    results, facts = measure(servers, options)
    names = [server.name for server in servers]
    for name, rows in workloads.items():
        print(f"{AXES[name].title}, CPU µs per request\n")
        figures = ([row.title, *report.figures(results.samples, row, names)] for row in rows)
        print(report.markdown(["", *names], figures))
        print()
    print_facts(results, facts, options)
    if options.plot:
        from plot import Diagram, draw_lines  # matplotlib takes a second to import

        diagrams = []
        for name in options.axes:
            axis = AXES[name]
            lines = {server: axis.line(name, results.samples, server) for server in names}
            diagrams.append(Diagram(axis.title, axis.unit, axis.points, lines))
        draw_lines(diagrams, options.plot)
    return 0 if results.samples else 1


if __name__ == "__main__":
    sys.exit(main())
