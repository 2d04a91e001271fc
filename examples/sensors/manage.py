#!/usr/bin/env python
"""Starts the service: `python manage.py runserver [[host:]port] [--server cppasgi|uvicorn]`."""

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path

SERVERS = {
    "cppasgi": ["-b", "{host}", "-p", "{port}"],
    "uvicorn": ["--host={host}", "--port={port}"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    runserver = commands.add_parser("runserver", help="serve the application")
    runserver.add_argument("address", nargs="?", default="127.0.0.1:8000", help="[host:]port")
    installed = [name for name in SERVERS if find_spec(name)]
    runserver.add_argument("--server", choices=SERVERS, default=next(iter(installed), "cppasgi"))
    options = parser.parse_args()
    host, _, port = options.address.rpartition(":")
    if not port.isdigit():
        parser.error(f"{options.address!r} is not a port number or address:port pair")
    if options.server not in installed:
        parser.error(f"{options.server} is not installed")
    address = [
        word.format(host=host.strip("[]") or "127.0.0.1", port=port)
        for word in SERVERS[options.server]
    ]
    os.chdir(Path(__file__).resolve().parent)
    command = [sys.executable, "-m", options.server, *address, "sensors.main:app"]
    os.execv(sys.executable, command)


if __name__ == "__main__":
    main()
