"""Counts the instructions outside the kernel that a request costs each server, by callgrind.

``instructions`` calls this. The count hardly changes from run to run, however busy the machine is,
so it tells servers apart that differ by a few percent; but it knows neither the kernel's share nor
what a cache miss costs. A short load is subtracted from a long one, so that opening connections
isn't counted where they are kept; what is under way when a load ends is, in part, so that rows of a
few hundred requests per second need half a minute. Python hashes texts in the same way in all
servers: by chance, dictionaries cost one run half a percent more than the next. No other callgrind
may run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from main import (
    add_load_options,
    add_servers_option,
    backends,
    check_load_options,
    machine_facts,
    named_servers,
    named_workloads,
    print_machine_facts,
    some_installed,
)
from report import markdown
from servers import SERVERS, START_SECONDS, Server, WrongAnswer, start
from workloads import Workload

SLOWDOWN = 40
"""How much longer than by itself a server may take to start."""

SHORT_SECONDS = 2

DEFAULT = "hello,post,json,stream,ws,fanout,channels,channels-json,fastapi"


def control(*arguments: str) -> None:
    """Tell every process that callgrind watches to switch counting, or to write what it counted."""
    subprocess.run(["callgrind_control", *arguments], stdout=subprocess.DEVNULL, check=True)


def total_of(dump: Path) -> int:
    """Return the instructions that callgrind wrote down."""
    return sum(int(total) for total in re.findall(r"^totals: (\d+)", dump.read_text(), re.M))


def measure(server: Server, workload: Workload, options: argparse.Namespace) -> float:
    """Return the instructions per request, message or delivery."""
    load = workload.load
    assert load is not None
    with tempfile.TemporaryDirectory() as folder:
        under = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", "--trace-children=yes"]
        under.append(f"--callgrind-out-file={folder}/%p")
        with start(server, workload.application, options.server_core, under) as started:
            started.wait_until_listening(SLOWDOWN * START_SECONDS)
            load.check(started, options.load_core)
            counts = []
            for seconds in (SHORT_SECONDS, SHORT_SECONDS + options.seconds):
                control("--instr=on")
                counts.append(load(started, options.load_core, seconds).count)
                control("--instr=off")
                control("--dump")
        short, long = (
            sum(total_of(path) for path in Path(folder).glob(f"*.{number}")) for number in (1, 2)
        )
    return (long - short) / (counts[1] - counts[0])


def cell(server: Server, workload: Workload, options: argparse.Namespace) -> str:
    """Return the median over the rounds; a dash when the server answers wrongly."""
    print(f"{workload.name}: {server.name}", file=sys.stderr)
    try:
        counts = [measure(server, workload, options) for _ in range(options.rounds)]
    except WrongAnswer as error:
        print(f"*** FAILED: {server.name}, {workload.name}: {error}", file=sys.stderr)
        return "-"
    return f"{statistics.median(counts):,.0f}"


def main() -> int:
    """Count; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/instructions", description=(__doc__ or "").split("\n")[0]
    )
    add_servers_option(parser)
    parser.add_argument("--workloads", default=DEFAULT, help=f"default: {DEFAULT}")
    add_load_options(parser)
    parser.set_defaults(rounds=1, seconds=30)
    options = parser.parse_args()
    check_load_options(parser, options)
    for tool in ("valgrind", "callgrind_control"):
        if shutil.which(tool) is None:
            parser.error(f"{tool} is missing: apt-get install valgrind")
    workloads = named_workloads(parser, options.workloads.split(","))
    if idle := [workload.name for workload in workloads if workload.load is None]:
        parser.error(f"nothing loads the server in {', '.join(idle)}")
    servers = some_installed(named_servers(parser, options.servers.split(","), SERVERS))
    facts = machine_facts(servers)
    os.environ["PYTHONHASHSEED"] = "0"
    with backends(workloads, options.load_core) as measurable:
        rows = [
            [workload.title, *(cell(server, workload, options) for server in servers)]
            for workload in measurable
        ]
    print(markdown(["workload", *(server.name for server in servers)], rows, texts=1))
    print()
    print_machine_facts(facts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
