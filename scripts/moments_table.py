"""Runs the matrix of awkward moments over cppasgi, Daphne and uvicorn, and writes what differs.

docs/when_something_ends.md: the tables between `<!-- moments -->` and `<!-- end -->`. Takes half an
hour. Daphne and uvicorn come from PyPI into an environment of their own, build/moments; the reports
of pytest stay there, and `--from-reports` only writes the tables from them.
"""

import re
import subprocess
import sys
import venv
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "when_something_ends.md"
FOLDER = ROOT / "build" / "moments"
SERVERS = {"cppasgi": "cppasgi", "daphne": "Daphne", "uvicorn": "uvicorn"}
INSTALLED = [
    *("daphne", "uvicorn", "websockets", "httptools", "uvloop", "starlette", "anyio"),
    *("django", "channels", "channels_redis", "psycopg[binary,pool]"),
]
PLACE = re.compile(r"(<!-- moments -->\n).*?(<!-- end -->)", re.DOTALL)

# What happened, for people: the events whose cells are counted together.
EVENTS = {
    "The client leaves: it closes, resets, or closes its half": ("close", "reset", "half_close"),
    "The client is silent until a time-out": ("silence",),
    "SIGTERM stops the server": ("sigterm",),
    "SIGHUP replaces the workers, or one of two is killed": ("sighup", "kill_neighbour"),
}
# How a problem begins (tests/moments/invariants.py) -> what that means.
MEANINGS = {
    "a consumer's disc|disconnect.. must": "`disconnect()` of a consumer didn't run to its end",
    "members of the group|the count of who": "who has left is still in a group or counted",
    "Django's resp|response.close": "`response.close()` of Django didn't run to its end",
    "a stream's generator|the file of": "a generator's `finally` didn't run, or a file stayed open",
    "Django's signals": "`request_finished` wasn't sent",
    "taken from the pool|connections to the": "a connection to the database wasn't given back",
    "the application's call|a raw appl|lifespan": "a call or a lifespan didn't get to its end",
    "left behind|process [0-9]+ must": "tasks, threads, files or a process were left",
    "the client saw": "the client got a cut answer, or none, or no close frame",
    "the bystander|the state": "somebody else's connection was hurt",
    "the log|the access log": "the log has an unexpected traceback or warning, or lacks a line",
}

Cells = dict[str, list[str] | None]


def main() -> None:
    """Runs what is asked for and writes the page."""
    if "--from-reports" not in sys.argv[1:]:
        if not FOLDER.exists():
            venv.create(FOLDER, with_pip=True)
        subprocess.run([FOLDER / "bin/pip", "install", "-q", *INSTALLED], check=True)
        for server in SERVERS:
            report = FOLDER / f"{server}.xml"
            command = ["pytest", "-n", "3", "-q", "--tb=no", "--server", server]
            command += ["--junitxml", str(report), "tests/moments/test_moments.py"]
            subprocess.run(command, cwd=ROOT, check=False)
    cells = {server: read(FOLDER / f"{server}.xml") for server in SERVERS}
    page = PAGE.read_text()
    assert PLACE.search(page), f"{PAGE} has no place for the tables"
    PAGE.write_text(PLACE.sub(lambda found: found[1] + tables(cells) + found[2], page))


def read(report: Path) -> Cells:
    """Returns the problems of each cell; None for one that the server can't come into."""
    found: Cells = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("name", "").removeprefix("test_moment[").removesuffix("]")
        properties = [(p.get("name"), p.get("value") or "") for p in case.iter("property")]
        if ("seen" in dict(properties)) or case.find("failure") is not None:
            found[name] = [value for kind, value in properties if kind == "problem"]
            if not properties:
                found[name] = ["left behind"]  # it didn't even come to the moment
        else:
            found[name] = None
    return found


def tables(cells: dict[str, Cells]) -> str:
    """One table for each group of events."""
    versions = {server: version(server) for server in SERVERS}
    head = " | ".join(f"{name} {versions[server]}" for server, name in SERVERS.items())
    lines = []
    for title, events in EVENTS.items():
        lines += [f"| {title} | {head} |", "|---|" + "--:|" * len(SERVERS)]
        columns = [column(found, events) for found in cells.values()]
        for row in ("cells", "all is well", *MEANINGS.values()):
            if any(found[row] for found in columns):
                figures = " | ".join(str(found[row]) if found["cells"] else "" for found in columns)
                lines.append(f"| {row} | {figures} |")
        lines.append("")
    return "\n".join(lines)


def column(cells: Cells, events: tuple[str, ...]) -> Counter[str]:
    """Counts cells of these events: all, those where all is well, and each kind of problem."""
    found: Counter[str] = Counter()
    for name, problems in cells.items():
        if problems is None or name.split("-")[1] not in events:
            continue
        found["cells"] += 1
        found["all is well"] += not problems
        for how, meaning in MEANINGS.items():
            found[meaning] += any(re.match(how, problem) for problem in problems)
    return found


def version(server: str) -> str:
    """The version of a server that was run."""
    program = sys.executable if server == "cppasgi" else str(FOLDER / "bin/python")
    code = f"from importlib.metadata import version; print(version({server!r}))"
    return subprocess.check_output([program, "-c", code], text=True).strip()


if __name__ == "__main__":
    main()
