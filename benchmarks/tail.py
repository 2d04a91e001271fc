"""Compares latency at half of the saturated rate, alone and beside threads that burn Python.

``tail`` calls this. Each server is saturated for a moment, by 64 connections in a closed loop, and
then asked at half of the rate it reached, in an open loop that counts latency from when a request
was due. So a faster server is asked more.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable

from loads import Http, Load, WebSocket
from main import (
    add_load_options,
    add_servers_option,
    check_load_options,
    machine_facts,
    named_servers,
    some_installed,
)
from measuring import in_turn
from servers import SERVERS, Running, WrongAnswer, running
from workloads import HELLO

SHARE = 0.5
SATURATING_SECONDS = 1.0
APPLICATION = "burning_app:application"

# By rate; 0 is as fast as the server answers.
MakeLoad = Callable[[float], Http | WebSocket]
LOADS: dict[str, MakeLoad] = {
    "HTTP hello": lambda rate: Http("/", HELLO, rate=rate),
    "WebSocket echo 64 B": lambda rate: WebSocket(size=64, rate=rate),
}


def numbers(text: str) -> list[int]:
    """Read a comma list of whole numbers."""
    return [int(word) for word in text.split(",")]


def measure(
    server: Running, make_load: MakeLoad, core: int | str, seconds: float
) -> tuple[float, Load]:
    """Return the saturated rate, and the latencies at ``SHARE`` of it."""
    saturating = make_load(0)
    saturating.check(server, core)
    saturating(server, core, SATURATING_SECONDS)  # warms up
    full = saturating(server, core, SATURATING_SECONDS)
    rate = full.count / full.seconds
    return rate, make_load(round(rate * SHARE))(server, core, seconds)


def table(found: dict[tuple[str, int, str], list[tuple[float, Load]]]) -> str:
    """Return one Markdown row for each load, number of burning threads and server."""
    lines = [
        "| load | burning threads | server | saturated, per second | p50 us | p99 us | p99.9 us |",
        "|---|--:|---|--:|--:|--:|--:|",
    ]
    for (name, burning, server), results in sorted(found.items()):
        rate = statistics.median(rate for rate, _ in results)
        middle = [
            statistics.median(getattr(load, field) for _, load in results)
            for field in ("p50_us", "p99_us", "p999_us")
        ]
        cells = [f"{value:,.0f}" for value in (rate, *middle)]
        lines.append(f"| {name} | {burning} | {server} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Run the comparison; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/tail", description=(__doc__ or "").split("\n")[0]
    )
    add_servers_option(parser)
    parser.add_argument(
        "--burning", type=numbers, default=[0, 1, 4], help="numbers of threads that burn, 0,1,4"
    )
    add_load_options(parser)
    options = parser.parse_args()
    check_load_options(parser, options)
    servers = some_installed(named_servers(parser, options.servers.split(","), SERVERS))
    facts = machine_facts(servers)
    found: dict[tuple[str, int, str], list[tuple[float, Load]]] = {}
    for number in range(options.rounds):
        runs = [
            (name, burning, server)
            for burning in options.burning
            for server in in_turn(servers, number)
            for name in LOADS
        ]
        for name, burning, server in runs:
            what = f"{server.name}: {name}, {burning} burning"
            print(f"round {number + 1}/{options.rounds}: {what}", file=sys.stderr)
            os.environ["BENCHMARK_BURNING"] = str(burning)
            try:
                with running(server, APPLICATION, options.server_core) as started:
                    result = measure(started, LOADS[name], options.load_core, options.seconds)
            except WrongAnswer as error:
                print(f"*** FAILED: {what}: {error}", file=sys.stderr)
            else:
                found.setdefault((name, burning, server.name), []).append(result)
    print(table(found))
    print()
    for fact, value in facts.items():
        print(f"- {fact}: {value}")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
