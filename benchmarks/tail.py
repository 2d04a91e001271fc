"""Compares latency at half of the saturated rate, alone and beside threads that burn Python.

``tail`` calls this. Each server is saturated for a moment, by 64 connections in a closed loop, and
then asked at half of the rate it reached, in an open loop that counts latency from when a request
was due. So a faster server is asked more.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys

from loads import Http, Load, WebSocket, run_tool
from main import (
    DEFAULT_SERVERS,
    add_measuring_options,
    check_measuring_options,
    installed,
    machine_facts,
)
from servers import BUILD, SERVERS, Running, WrongAnswer, running
from workloads import HELLO

CONNECTIONS = 64
SHARE = 0.5
HTTP = "HTTP hello"
WEBSOCKET = "WebSocket echo 64 B"


def paced_http(server: Running, core: int | str, rate: float, seconds: float) -> Load:
    """Ask for ``/`` at a fixed rate."""
    command = [str(BUILD / "http_load"), str(server.port), "/", HELLO.decode(), str(CONNECTIONS)]
    result = json.loads(run_tool(core, [*command, f"{rate:.0f}", str(seconds)], seconds))
    latencies = (result[name] for name in ("p50_us", "p99_us", "p999_us"))
    return Load(result["count"], result["elapsed_seconds"], *latencies)


def measure(
    server: Running, kind: str, core: int | str, saturating: float, seconds: float
) -> tuple[float, Load]:
    """Return the saturated rate, and the latencies at ``SHARE`` of it."""
    load = Http("/", HELLO) if kind == HTTP else WebSocket(size=64)
    load.check(server, core)
    load(server, core, saturating)  # warms up
    full = load(server, core, saturating)
    rate = full.count / full.seconds
    if kind == HTTP:
        return rate, paced_http(server, core, rate * SHARE, seconds)
    return rate, WebSocket(size=64, rate=round(rate * SHARE))(server, core, seconds)


def main() -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(prog="benchmarks/tail", description=__doc__)
    parser.add_argument("--servers", default=DEFAULT_SERVERS)
    parser.add_argument("--burning", default="0,1,4", help="numbers of burning threads")
    add_measuring_options(parser)
    options = parser.parse_args()
    check_measuring_options(parser, options)
    if unknown := set(options.servers.split(",")) - set(SERVERS):
        parser.error(f"unknown server: {', '.join(sorted(unknown))}")
    servers = installed([SERVERS[name] for name in options.servers.split(",")])
    facts = machine_facts(servers)
    found: dict[tuple[str, int, str], list[tuple[float, Load]]] = {}
    for number in range(options.rounds):
        turn = number % len(servers)
        for burning in map(int, options.burning.split(",")):
            os.environ["BENCHMARK_BURNING"] = str(burning)
            for server in [*servers[turn:], *servers[:turn]]:
                for kind in (HTTP, WEBSOCKET):
                    key = (kind, burning, server.name)
                    print(f"round {number + 1}/{options.rounds}: {key}", file=sys.stderr)
                    try:
                        with running(
                            server, "burning_app:application", options.server_core
                        ) as started:
                            result = measure(started, kind, options.load_core, 1, options.seconds)
                        found.setdefault(key, []).append(result)
                    except WrongAnswer as error:
                        print(f"*** FAILED: {key}: {error}", file=sys.stderr)
    print(
        "| load | burning threads | server | saturated, per second | p50 us | p99 us | p99.9 us |"
    )
    print("|---|--:|---|--:|--:|--:|--:|")
    for (kind, burning, name), results in sorted(found.items()):
        rate = statistics.median(rate for rate, _ in results)
        middle = [
            statistics.median(getattr(load, field) for _, load in results)
            for field in ("p50_us", "p99_us", "p999_us")
        ]
        cells = [f"{value:,.0f}" for value in (rate, *middle)]
        print(f"| {kind} | {burning} | {name} | {' | '.join(cells)} |")
    print()
    for fact, value in facts.items():
        print(f"- {fact}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
