"""``cppasgi status`` and ``cppasgi top``: what a running cppasgi says of its workers.

Both read ``/status`` at the address of ``--metrics``. ``top`` draws with the library rich.

Exit statuses: 0 it is ready, 1 it isn't, or nobody answers, or rich is missing, 2 wrong command
line.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn, cast

from cppasgi.command.options import argument_type
from cppasgi.settings.values import time_limit

_TIMEOUT_SECONDS = 5.0
_LONGEST_INTERVAL_SECONDS = 86_400.0

Status = dict[str, Any]


class StatusError(Exception):
    """Nothing could be learnt; the text is one line."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(address: str) -> http.client.HTTPConnection:
    if address.startswith("unix:"):
        return _UnixConnection(address.removeprefix("unix:").partition(":mode=")[0])
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        raise StatusError(f"{address!r} is neither HOST:PORT nor unix:PATH")
    host = host.strip("[]") or "127.0.0.1"
    return http.client.HTTPConnection(host, int(port), timeout=_TIMEOUT_SECONDS)


def fetch_status(address: str) -> Status:
    """Reads ``/status`` at ``address``, HOST:PORT or unix:PATH.

    Raises:
        StatusError: the address is wrong, nobody answers, or it isn't cppasgi's.
    """
    connection = _connection(address)
    try:
        connection.request("GET", "/status")
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise StatusError(f"no answer from {address}: {reason}") from None
    finally:
        connection.close()
    try:
        status = json.loads(body)
        status["workers"], status["totals"]
    except (ValueError, TypeError, KeyError):
        raise StatusError(f"{address} is not the address of cppasgi's --metrics") from None
    return cast(Status, status)


def main(command: str, args: Sequence[str]) -> None:
    """Runs ``status`` or ``top``.

    Raises:
        SystemExit: with the statuses above, unless it is ready.
    """
    about = {
        "status": "Shows what a running cppasgi says of its workers.",
        "top": "Shows the same with rates, again and again.",
    }
    parser = argparse.ArgumentParser(prog=f"cppasgi {command}", description=about[command])
    parser.add_argument(
        "--metrics",
        metavar="ADDRESS",
        default=os.environ.get("CPPASGI_METRICS"),
        help="where it serves metrics, HOST:PORT or unix:PATH (CPPASGI_METRICS)",
    )
    if command == "status":
        parser.add_argument("--json", action="store_true", help="print what /status says")
    else:
        parser.add_argument(
            "--interval",
            metavar="SECONDS",
            type=argument_type(time_limit),
            default=1.0,
            help="default 1",
        )
    options = parser.parse_args(args)
    if not options.metrics:
        parser.error("--metrics ADDRESS or the variable CPPASGI_METRICS is needed")
    try:
        if command == "top":
            _top(options.metrics, min(max(options.interval, 0.1), _LONGEST_INTERVAL_SECONDS))
            return
        status = fetch_status(options.metrics)
    except StatusError as error:
        _fail(command, str(error))
    except KeyboardInterrupt:
        return
    print(json.dumps(status, indent=2) if options.json else describe(status))
    if not status["ready"]:
        sys.exit(1)


def describe(status: Status) -> str:
    """Makes the text of ``cppasgi status``: a line for the service and one for each worker."""
    rows = [_HEAD, *(_cells(worker, None, 0) for worker in status["workers"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_headline(status)]
    for row in rows:
        lines.append(
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    return "\n".join(lines)


def _headline(status: Status) -> str:
    restarts = ", ".join(
        f"{count} {reason}" for reason, count in status["restarts"].items() if count
    )
    return (
        f"cppasgi {status['version']}, {_readiness(status)}, up "
        f"{_age(status['uptime'])}; restarts: {restarts or 'none'}"
    )


def _readiness(status: Status) -> str:
    if status["ready"]:
        missing = status.get("missing", ())
        return ", but ".join(["ready", *(f"worker {number} is missing" for number in missing)])
    # Another version's may say no reason.
    return f"not ready ({reason})" if (reason := status.get("unready")) else "not ready"


_HEAD = (
    "worker", "pid", "state", "up", "heartbeat", "lag", "connections", "websockets", "calls",
    "requests", "messages", "limits", "memory", "cpu",
)  # fmt: skip


_SHORT_HEAD = (
    "#", "pid", "state", "up", "beat", "lag", "conns", "ws", "calls", "req", "msg", "limits",
    "memory", "cpu",
)  # fmt: skip
"""The same for ``top``, which has to fit a terminal of 80 columns."""
_FIRST_TO_GO = ("up", "limits", "calls", "pid", "lag", "msg", "ws", "beat", "memory")
_GAP = "  "


def _fitting(rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Leaves columns out, the least important first, until the rest fits."""
    columns = list(zip(*rows, strict=True))
    for name in _FIRST_TO_GO:
        widths = [max(map(len, column)) for column in columns]
        if sum(widths) + len(_GAP) * len(widths) <= width:
            break
        columns = [column for column in columns if column[0] != name]
    return [list(row) for row in zip(*columns, strict=True)]


def _cells(worker: Status, before: Status | None, seconds: float) -> tuple[str, ...]:
    """One worker's row; with an earlier look at it, counts as rates and CPU as a percentage."""

    def count(name: str) -> str:
        if before is None:
            return str(worker[name])
        return f"{(worker[name] - before[name]) / seconds:.0f}/s"

    cpu, age = worker["cpu_seconds"], worker["heartbeat_age"]
    if cpu is None:
        used = "-"
    elif before is None or before["cpu_seconds"] is None:
        used = f"{cpu:.1f} s"
    else:
        used = f"{100 * (cpu - before['cpu_seconds']) / seconds:.0f} %"
    memory = worker["resident_bytes"]
    return (
        str(worker["number"]),
        str(worker["pid"]),
        worker["state"],
        _age(worker["uptime"]),
        "-" if age is None else f"{age:.1f} s",
        f"{1000 * worker['loop_lag']:.1f} ms",
        str(worker["connections"]),
        str(worker["websockets"]),
        str(worker["application_calls"]),
        count("requests"),
        count("messages"),
        str(worker["limits"]),
        "-" if memory is None else f"{memory / 1024**2:.1f} MiB",
        used,
    )


def _age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _top(address: str, interval: float) -> None:
    try:
        from rich.console import Console
        from rich.live import Live
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        raise StatusError("top needs the library rich: pip install 'cppasgi[metrics]'") from None

    def table(status: Status, before: Status | None, seconds: float) -> Table:
        earlier = {worker["pid"]: worker for worker in before["workers"]} if before else {}
        workers = status["workers"]
        rows = [_cells(each, earlier.get(each["pid"]), seconds) for each in workers]
        head, *fitting = _fitting([_SHORT_HEAD, *rows], console.width)
        grid = Table(
            title=Text(_headline(status)),
            title_justify="left",
            box=None,
            pad_edge=False,
            padding=(0, len(_GAP), 0, 0),
        )
        for name in head:
            grid.add_column(name, justify="right", no_wrap=True)
        for worker, row in zip(workers, fitting, strict=True):
            grid.add_row(*row, style="" if worker["state"] == "ready" else "yellow")
        return grid

    console = Console()

    status = fetch_status(address)
    looked = time.monotonic()
    shown = table(status, None, 0)
    with Live(shown, console=console, auto_refresh=False, screen=sys.stdout.isatty()) as live:
        while True:
            time.sleep(interval)
            before, earlier = status, looked
            try:
                status = fetch_status(address)
            except StatusError as error:  # it is being restarted, perhaps
                live.update(Text(str(error), style="red"), refresh=True)
                continue
            looked = time.monotonic()
            live.update(table(status, before, looked - earlier), refresh=True)


def _fail(command: str, message: str) -> NoReturn:
    print(f"cppasgi {command}: {message}", file=sys.stderr)
    sys.exit(1)
