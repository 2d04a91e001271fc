"""Compares the CPU time that ASGI servers spend per request, in one interleaved run on one machine.

``run`` calls this in the virtual environment of the peers; README.md says how a number is made.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import report
from measuring import Plan, Results, run_rounds
from servers import HOST, SERVERS, Server, free_port
from workloads import CHANNELS_REDIS, WORKLOADS, Workload

DEFAULT_SERVERS = "cppasgi,peregrine,weft,granian,uvicorn,socketify"
IDLE_WEBSOCKETS = 10_000


def machine_facts(servers: Sequence[Server]) -> dict[str, str]:
    """Return what a reader must know of the machine and the versions."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    wrk = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cpu": f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores",
        "kernel": platform.release(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "servers": ", ".join(f"{server.name} {server.version}" for server in servers),
        "wrk": " ".join((wrk.stdout or wrk.stderr).split()[:2]),
        "load average before": ", ".join(f"{value:.2f}" for value in os.getloadavg()),
    }


def add_load_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that all benchmarks of servers share."""
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of load for each measurement")
    parser.add_argument("--server-core", type=int, default=1)
    parser.add_argument("--load-core", type=int, default=0)
    parser.add_argument(
        "--share-cores",
        action="store_true",
        help="servers and load share all cores, for variants with --workers",
    )


def add_measuring_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that ``run`` and ``compare`` share."""
    parser.add_argument("--workloads", help=f"comma list of {', '.join(WORKLOADS)}")
    add_load_options(parser)
    parser.add_argument("--idle", type=int, default=IDLE_WEBSOCKETS, help="WebSockets of that row")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples to FILE")


def add_servers_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--servers``."""
    parser.add_argument(
        "--servers", default=DEFAULT_SERVERS, help=f"comma list of {', '.join(SERVERS)}"
    )


def named_servers(
    parser: argparse.ArgumentParser, names: Sequence[str], servers: dict[str, Server]
) -> list[Server]:
    """Return the servers of these names; end with one line for a name that none has."""
    if unknown := set(names) - set(servers):
        parser.error(f"unknown server: {', '.join(sorted(unknown))}")
    return [servers[name] for name in dict.fromkeys(names)]


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/run", description=(__doc__ or "").split("\n")[0]
    )
    add_servers_option(parser)
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME=FLAGS",
        help="also run cppasgi with these flags added, as NAME; may be repeated",
    )
    add_measuring_options(parser)
    parser.add_argument("--check", action="store_true", help="exit 1 when an aim is missed")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the rows as bars, a PNG")
    options = parser.parse_args()
    servers = {**SERVERS, **dict(parse_variant(parser, text) for text in options.variant)}
    names = [*options.servers.split(","), *(n for n in servers if n not in SERVERS)]
    options.servers = named_servers(parser, names, servers)
    check_measuring_options(parser, options)
    return options


def parse_variant(parser: argparse.ArgumentParser, text: str) -> tuple[str, Server]:
    """Read ``NAME=FLAGS``."""
    name, separator, flags = text.partition("=")
    if not separator or not name or name in SERVERS or "{" in flags:
        parser.error(f"--variant {text!r} isn't NAME=FLAGS with a name of its own")
    own = SERVERS[report.OWN]
    return name, replace(own, name=name, command=f"{own.command} {flags}")


def named_workloads(parser: argparse.ArgumentParser, names: Sequence[str]) -> list[Workload]:
    """Return the workloads of these names; end with one line for a name that none has."""
    if unknown := set(names) - set(WORKLOADS):
        parser.error(f"unknown workload: {', '.join(sorted(unknown))}")
    return [WORKLOADS[name] for name in names]


def check_measuring_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with one line for what can't be measured; turn the names of workloads into workloads."""
    wanted = options.workloads.split(",") if options.workloads else list(WORKLOADS)
    options.workloads = named_workloads(parser, wanted)
    if options.idle < 1:
        parser.error("--idle must be at least 1")
    check_load_options(parser, options)


def check_load_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with one line for a load that can't be run here."""
    if min(options.rounds, options.seconds) < 1:
        parser.error("--rounds and --seconds must be at least 1")
    cores = {options.server_core, options.load_core}
    if options.share_cores:
        allowed = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        options.server_core = options.load_core = allowed
    elif len(cores) < 2 or not cores <= os.sched_getaffinity(0):
        parser.error("--server-core and --load-core must be two cores of this machine")
    for tool in ("wrk", "taskset"):
        if not shutil.which(tool):
            parser.error(f"{tool} is not installed")


def installed(servers: Sequence[Server]) -> list[Server]:
    """Return the servers that are there; name the others loudly."""
    found = [server for server in servers if server.version]
    for server in servers:
        if server not in found:
            print(f"*** SKIPPED: {server.name} isn't installed", file=sys.stderr)
    return found


def some_installed(servers: Sequence[Server]) -> list[Server]:
    """Return the servers that are there; end with status 1 when none is."""
    return installed(servers) or sys.exit(1)


@contextmanager
def redis(core: int | str) -> Iterator[None]:
    """Run Redis on ``core`` while the body runs, its address in ``CHANNELS_REDIS_URL``."""
    port = free_port()
    command = ["taskset", "-c", str(core), "redis-server", "--port", str(port), "--bind", HOST]
    process = subprocess.Popen(
        [*command, "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL
    )
    os.environ["CHANNELS_REDIS_URL"] = f"redis://{HOST}:{port}/0"
    try:
        for _ in range(100):
            if socket.socket().connect_ex((HOST, port)) == 0:
                break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def backends(workloads: list[Workload], core: int | str) -> Iterator[list[Workload]]:
    """Run what the workloads need beside a server; yield those that have it here."""
    if all(workload.application != CHANNELS_REDIS for workload in workloads):
        yield workloads
    elif shutil.which("redis-server"):
        with redis(core):
            yield workloads
    else:
        print("*** SKIPPED: channels-redis: redis-server isn't installed", file=sys.stderr)
        yield [each for each in workloads if each.application != CHANNELS_REDIS]


def measure(
    servers: Sequence[Server], options: argparse.Namespace
) -> tuple[Results, dict[str, str]]:
    """Run all rounds, with Redis beside them when a workload needs it; return the facts too."""
    facts = machine_facts(servers)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the servers inherit it
    plan = Plan(
        rounds=options.rounds,
        seconds=options.seconds,
        server_core=options.server_core,
        load_core=options.load_core,
        idle_websockets=options.idle,
    )
    with backends(options.workloads, options.load_core) as workloads:
        return run_rounds(servers, workloads, plan), facts


def print_machine_facts(facts: dict[str, str]) -> None:
    """Print what ``machine_facts`` returned, as a Markdown list."""
    for key, value in facts.items():
        print(f"- {key}: {value}")


def print_facts(results: Results, facts: dict[str, str], options: argparse.Namespace) -> None:
    """Print what the numbers rest on, as a Markdown list; with ``--json`` write all of them."""
    print_machine_facts(facts)
    others = [sample.others_busy for sample in results.samples] or [0.0]
    middle, most = statistics.median(others), max(others)
    print(f"- other processes' use of a core meanwhile: median {middle:.0%}, at most {most:.0%}")
    print(f"- rounds: {options.rounds} of {options.seconds} s for each server and workload")
    for (server, workload), reason in results.failed.items():
        print(f"- no figure for {server}, {workload}: {reason}")
    if options.json:
        document = {"facts": facts, "samples": [asdict(sample) for sample in results.samples]}
        options.json.write_text(json.dumps(document, indent=2) + "\n")


def main() -> int:
    """Run the comparison; return the exit status."""
    options = parse_options()
    servers = some_installed(options.servers)
    results, facts = measure(servers, options)
    names = [server.name for server in servers]
    print(report.overview(results.samples, options.workloads, names))
    print()
    print(report.details(results.samples, options.workloads, names))
    print()
    print_facts(results, facts, options)
    if options.plot:
        from plot import draw  # matplotlib takes a second to import

        draw(results.samples, options.workloads, names, options.plot)
    if not options.check:
        return 0 if results.samples else 1
    lines = report.missed(results.samples, options.workloads)
    for line in lines:
        print(f"*** MISSED: {line}", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
