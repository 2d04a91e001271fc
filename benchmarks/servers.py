"""The servers under comparison: their command lines, starting and stopping, CPU time and memory.

Each runs one worker, pinned to one core, access log off, with the event loop and protocol classes
that measure fastest for it. Linux only (``taskset`` and ``/proc``).
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

APPS = Path(__file__).parent / "apps"
BUILD = Path(sys.prefix) / "benchmarks"  # what benchmarks/CMakeLists.txt builds
FLOOR = Path(__file__).parent / "floor" / "serve.py"
HOST = "127.0.0.1"
START_SECONDS = 15.0
STOP_SECONDS = 5.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class WrongAnswer(Exception):
    """A server answered something else than the application said."""


class NotStarted(WrongAnswer):
    """A server ended before it listened, or never listened."""


@dataclass(frozen=True)
class Server:
    """One server.

    Attributes:
        name: What the tables and ``--servers`` call it.
        distribution: The PyPI distribution whose version is reported; empty for the floors.
        command: Its command line; ``{port}`` and ``{application}`` are filled in. A first word
            without a slash is a script beside ``python``.
        for_many: Flags more when thousands of connections are to be open at once.
        python: The interpreter of its virtual environment.
    """

    name: str
    distribution: str
    command: str
    for_many: str = ""
    python: Path = Path(sys.executable)

    def command_line(self, application: str, port: int) -> list[str]:
        """Return the command that serves ``application`` on ``HOST`` and ``port``."""
        words = self.command.format(port=port, application=application).split()
        return [str(self.python.parent / words[0]), *words[1:]]

    @property
    def is_floor(self) -> bool:
        """Whether it is a limit to compare with and no server to use."""
        return not self.distribution

    @property
    def version(self) -> str:
        """Return the installed version, or an empty string when it is not installed."""
        if self.is_floor:
            return "floor" if (BUILD / "floor").exists() else ""
        if not Path(self.command_line("", 0)[0]).exists():
            return ""
        code = f"from importlib.metadata import version; print(version({self.distribution!r}))"
        done = subprocess.run(
            [self.python, "-c", code], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()


SERVERS = {
    server.name: server
    for server in (
        Server("c", "", f"{BUILD}/floor {{port}}"),
        Server("c+py", "", f"python {FLOOR} {BUILD} {{port}} {{application}}"),
        Server(
            "cppasgi",
            "cppasgi",
            # The peers keep each connection's compression context, where the client allows it.
            f"cppasgi -b {HOST} -p {{port}} -v 0 --loop auto --ws-deflate dedicated"
            " {application}",
        ),
        Server(
            "peregrine",
            "peregrine-server",
            f"peregrine --host {HOST} --port {{port}} --workers 1 --protocol asgi --ws-compress"
            " --log-level error {application}",
            for_many=" --max-connections 20000",
        ),
        Server(
            "weft",
            "weft-server",
            f"weft --host {HOST} --port {{port}} --workers 1 --ws-compress --log-level error"
            " {application}",
            for_many=" --max-connections 20000",
        ),
        Server(
            "granian",
            "granian",
            f"granian --host {HOST} --port {{port}} --interface asgi --workers 1 --loop uvloop"
            " --no-access-log --log-level error {application}",
            for_many=" --backpressure 20000 --backlog 20000",
        ),
        Server(
            "uvicorn",
            "uvicorn",
            f"uvicorn --host {HOST} --port {{port}} --workers 1 --loop uvloop --http httptools"
            " --ws websockets-sansio --no-access-log --log-level error {application}",
        ),
        Server(
            "socketify",
            "socketify",
            f"python -m socketify {{application}} --host {HOST} --port {{port}} --workers 1"
            " --interface asgi3 --ws-per-message-deflate True --disable-listen-log True",
        ),
        Server("daphne", "daphne", f"daphne -b {HOST} -p {{port}} -v 0 {{application}}"),
    )
}


class Running:
    """A started server: its port, the CPU time and the memory of its process tree."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], port: int) -> None:
        """Wrap the process of the server ``name``, which is to listen on ``port``."""
        self.name = name
        self._process = process
        self.port = port

    def _tree(self) -> dict[int, list[str]]:
        """Return the fields of ``/proc/<pid>/stat`` from the third on, for the process tree."""
        found: dict[int, list[str]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with suppress(OSError):
                    # The command's name may hold anything, so the fields are counted from its ")".
                    stat = (entry / "stat").read_text()
                    found[int(entry.name)] = stat.rpartition(")")[2].split()
        if self._process.poll() is not None:
            raise WrongAnswer(f"the server ended with status {self._process.returncode}")
        tree = {self._process.pid}
        while more := {pid for pid, stat in found.items() if int(stat[1]) in tree} - tree:
            tree |= more
        return {pid: found[pid] for pid in tree}

    def cpu_seconds(self) -> float:
        """Return the CPU time of the process and its descendants, those already ended included."""
        ticks = sum(int(field) for stat in self._tree().values() for field in stat[11:15])
        return ticks / TICKS_PER_SECOND

    def rss_bytes(self) -> int:
        """Return the resident memory of the process and its descendants, shared pages repeated."""
        return sum(int(stat[21]) for stat in self._tree().values()) * PAGE_BYTES

    def wait_until_listening(self, within: float = START_SECONDS) -> None:
        """Return when the port accepts connections; raise ``NotStarted`` when it never does."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
                return
            time.sleep(0.05)
        raise NotStarted("the server did not start listening")

    def wait_for_200(self) -> None:
        """Return when ``GET /`` is answered by 200; raise ``NotStarted`` when it never is."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            connection = http.client.HTTPConnection(HOST, self.port, timeout=1)
            try:
                connection.request("GET", "/")
                if connection.getresponse().status == 200:
                    return
            except (OSError, http.client.HTTPException):
                time.sleep(0.001)
            finally:
                connection.close()
        raise NotStarted("no 200 came back")

    def stop(self) -> None:
        """End the server and all of its processes."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def free_port() -> int:
    """Return a port of ``HOST`` that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def start(
    server: Server, application: str, core: int | str, under: Sequence[str] = ()
) -> Iterator[Running]:
    """Start ``application`` pinned to ``core`` on a free port, and stop it at the end.

    ``under`` is a command that runs the server's.
    """
    port = free_port()
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *under, *server.command_line(application, port)],
        cwd=APPS,
        env={**os.environ, "PYTHONPATH": str(APPS)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    started = Running(server.name, process, port)
    try:
        yield started
    finally:
        started.stop()


@contextmanager
def running(server: Server, application: str, core: int | str) -> Iterator[Running]:
    """Serve ``application`` as ``start`` does, ready to answer."""
    with start(server, application, core) as started:
        started.wait_until_listening()
        yield started
