"""Compares latency at half of the saturated rate, alone and beside threads that burn Python.

``tail`` calls this. Each server is saturated for a moment, by 64 connections in a closed loop, and
then asked at half of the rate it reached, in an open loop that counts latency from when a request
was due. So a faster server is asked more; at last all are asked alike, at half of the slowest's.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from loads import Http, Load, WebSocket
from main import (
    add_load_options,
    add_servers_option,
    check_load_options,
    machine_facts,
    named_servers,
    print_machine_facts,
    some_installed,
)
from measuring import in_turn
from report import lower_quartile, markdown
from servers import SERVERS, Running, Server, WrongAnswer, running
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


@dataclass(frozen=True)
class Asked:
    """A load at a given rate, and the share of a core that the server took meanwhile."""

    load: Load
    core_busy: float


@dataclass(frozen=True)
class Tail:
    """One server in one round."""

    own: Asked  # at SHARE of its saturated rate
    alike: Asked  # at SHARE of the slowest server's


def warm_up(server: Running, make_load: MakeLoad, core: int | str) -> None:
    """Check the answers and load the server for a moment."""
    saturating = make_load(0)
    saturating.check(server, core)
    saturating(server, core, SATURATING_SECONDS)


def ask(server: Running, load: Http | WebSocket, core: int | str, seconds: float) -> Asked:
    """Load the server at the rate of ``load``."""
    before = server.cpu_seconds()
    counted = load(server, core, seconds)
    return Asked(counted, (server.cpu_seconds() - before) / counted.seconds)


def saturate(
    server: Running, make_load: MakeLoad, core: int | str, seconds: float
) -> tuple[float, Asked]:
    """Return the saturated rate, per second, and what was measured at ``SHARE`` of it."""
    warm_up(server, make_load, core)
    full = make_load(0)(server, core, SATURATING_SECONDS)
    rate = full.count / full.seconds
    return rate, ask(server, make_load(round(rate * SHARE)), core, seconds)


def measure(
    servers: list[Server], name: str, options: argparse.Namespace
) -> Iterator[tuple[str, Tail]]:
    """Yield the name and the figures of each server that answers."""
    make_load, core, seconds = LOADS[name], options.load_core, options.seconds
    saturated: dict[Server, tuple[float, Asked]] = {}
    for server in servers:
        with complaining(server), running(server, APPLICATION, options.server_core) as started:
            saturated[server] = saturate(started, make_load, core, seconds)
    lowest = min((rate for rate, _ in saturated.values()), default=0)
    for server, (_, own) in saturated.items():
        with complaining(server), running(server, APPLICATION, options.server_core) as started:
            warm_up(started, make_load, core)
            alike = ask(started, make_load(round(lowest * SHARE)), core, seconds)
            yield server.name, Tail(own, alike)


@contextmanager
def complaining(server: Server) -> Iterator[None]:
    """Turn a wrong answer into a line on standard error."""
    try:
        yield
    except WrongAnswer as error:
        print(f"*** FAILED: {server.name}: {error}", file=sys.stderr)


def figures(asked: list[Asked]) -> list[str]:
    """Format what was measured at one rate, round by round."""
    loads = [each.load for each in asked]
    rate = statistics.median(load.count / load.seconds for load in loads)
    busy = statistics.median(each.core_busy for each in asked)
    latencies = (
        statistics.median(load.p50_us for load in loads),
        statistics.median(load.p99_us for load in loads),
        lower_quartile([load.p99_us for load in loads]),
        statistics.median(load.p999_us for load in loads),
    )
    cells = ["-" if value is None else f"{value:,.0f}" for value in latencies]
    return [f"{rate:,.0f}", f"{busy:.0%}", *cells]


def tables(found: dict[tuple[str, int, str], list[Tail]]) -> str:
    """Return two Markdown tables, a row for each load, number of burning threads and server."""
    head = ["load", "burning threads", "server", "per second", "server core busy"]
    head += ["p50 us", "p99 us", "p99 when quiet", "p99.9 us"]
    own, alike = [], []
    for (name, burning, server), tails in sorted(found.items()):
        what = [name, str(burning), server]
        own.append([*what, *figures([tail.own for tail in tails])])
        alike.append([*what, *figures([tail.alike for tail in tails])])
    return (
        f"Each at half of its own saturated rate:\n\n{markdown(head, own, texts=3)}\n\n"
        f"All at half of the slowest one's:\n\n{markdown(head, alike, texts=3)}"
    )


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
    found: dict[tuple[str, int, str], list[Tail]] = {}
    for number in range(options.rounds):
        for burning, name in itertools.product(options.burning, LOADS):
            what = f"{name}, {burning} burning"
            print(f"round {number + 1}/{options.rounds}: {what}", file=sys.stderr)
            os.environ["BENCHMARK_BURNING"] = str(burning)
            for server, tail in measure(in_turn(servers, number), name, options):
                found.setdefault((name, burning, server), []).append(tail)
    print(tables(found))
    print()
    print_machine_facts(facts)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
