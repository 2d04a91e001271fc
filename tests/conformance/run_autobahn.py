"""Runs Autobahn's fuzzing client against a server of its own, and sums up the reports.

The server is `--server-command` with the echo application beside this file. Ends with status 1 when
a case is anything but OK or INFORMATIONAL; see `summary.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from summary import summarise

HERE = Path(__file__).resolve().parent
SECTIONS = ("1", "2", "3", "4", "5", "6", "7", "10")
LONG_SECTIONS = ("9", "12", "13")
AGENT = "cppasgi"
START_SECONDS = 20
LARGEST_MESSAGE = 16 * 1024 * 1024
"""Of section 9."""


@contextlib.contextmanager
def running_server(command: list[str], flags: list[str]) -> Iterator[int]:
    """Starts the server with the echo application and gives its port."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*command, "-p", "0", "--access-log", os.devnull, *flags, "echo:app"],
            cwd=HERE,
            stderr=log,
        )
        try:
            yield wait_for_port(process, log.fileno())
        finally:
            process.terminate()
            process.wait(20)


def wait_for_port(process: subprocess.Popen[bytes], log: int) -> int:
    """The port that the server announces in its log."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        text = os.pread(log, 1 << 16, 0).decode(errors="replace")
        if match := re.search(r"Listening on TCP address \S+:(\d+)", text):
            return int(match[1])
        time.sleep(0.02)
    raise SystemExit(f"the server did not start: {os.pread(log, 1 << 16, 0).decode()}")


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="also sections 9, 12 and 13")
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="such as 6.4.1 or 9.*")
    parser.add_argument("--wstest", required=True, help="Autobahn's command")
    parser.add_argument("--reports", required=True, type=Path, help="folder for its reports")
    parser.add_argument("--server-command", default="cppasgi", help="(default: %(default)s)")
    options = parser.parse_args()
    sections = SECTIONS + (LONG_SECTIONS if options.all else ())
    cases = options.cases or [f"{section}.*" for section in sections]
    shutil.rmtree(options.reports, ignore_errors=True)
    options.reports.mkdir(parents=True)
    flags = ["--websocket-max-message-size", str(LARGEST_MESSAGE)]
    flags += ["--websocket-max-frame-size", str(LARGEST_MESSAGE)]
    with running_server(shlex.split(options.server_command), flags) as port:
        specification = options.reports / "specification.json"
        specification.write_text(
            json.dumps(
                {
                    "outdir": str(options.reports),
                    "servers": [{"agent": AGENT, "url": f"ws://127.0.0.1:{port}"}],
                    "cases": cases,
                    "exclude-cases": [],
                    "exclude-agent-cases": {},
                }
            )
        )
        output = options.reports / "output.txt"
        with output.open("wb") as log:
            wstest = [options.wstest, "--mode", "fuzzingclient", "--spec", str(specification)]
            status = subprocess.run(wstest, stdout=log, stderr=log, check=False).returncode
    index = options.reports / "index.json"
    if status != 0 or not index.exists():
        print(output.read_text(errors="replace")[-3000:], file=sys.stderr)
        print(f"wstest ended with status {status}", file=sys.stderr)
        return 1
    return summarise(json.loads(index.read_text())[AGENT], options.reports)


if __name__ == "__main__":
    sys.exit(main())
