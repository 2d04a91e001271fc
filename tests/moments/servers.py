"""The servers under test: how each is started, what its processes hold, what it has written.

cppasgi is what CI tests; Daphne and uvicorn run for comparison (`--server daphne`).
"""

from __future__ import annotations

import itertools
import re
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bystanders import Bystander
from matrix import Cell
from server_process import ServerProcess

HERE = Path(__file__).parent
APPLICATION = "served.asgi:app"
GRACEFUL = 8  # seconds that a stop may take; more than idle connections get, on a busy machine too
LIMIT = 1  # seconds, of each time-out where clients are silent
RESTART = 10  # seconds a worker must have lived for its successor to be started at once
# A test run that is killed leaves no servers behind.
END_WITH_TESTS = ("setpriv", "--pdeathsig", "TERM")

_numbers = itertools.count()


@dataclass(frozen=True)
class Kind:
    """A server program.

    Attributes:
        listening: what it logs when it listens; the groups are host and port.
        flags: for every server; for those with short time-outs; for those with two workers.
        silence: the moments at which a silent client of (HTTP, WebSocket) meets a time-out.
        after: seconds until it has cleaned up after whom it let go.
        death: what it logs, once, when a worker was killed.
        streams_content: whether it calls the application before all of a request is there.
    """

    listening: str
    flags: tuple[str, ...]
    short: tuple[str, ...]
    workers: tuple[str, ...] | None
    silence: tuple[tuple[str, ...], tuple[str, ...]]
    after: float
    death: str = "(?!)"
    streams_content: bool = True


def unreachable(kind: Kind, cell: Cell) -> str | None:
    """Says why a server can't come into a cell, or returns None."""
    if cell.event == "silence" and cell.moment not in kind.silence[cell.app.websocket]:
        return "it has no such time-out"
    if cell.event in ("sighup", "kill_neighbour") and kind.workers is None:
        return "it has no workers"
    return None


PINGED = ("before", "during", "idle")  # a WebSocket whose client doesn't answer pings

KINDS = {
    "cppasgi": Kind(
        r"Listening on TCP address (\S+):(\d+)$",
        (
            *("-p", "0", "--slow-callback", "0", "--graceful-timeout", str(GRACEFUL)),
            *("--ws-drain-window", "0.2", "--websocket_connect_timeout", "30"),
        ),
        (
            *("--timeout-request-header", str(LIMIT), "--timeout-request-body", str(LIMIT)),
            *("--http-timeout", str(LIMIT), "--timeout-send", str(LIMIT)),
            *("--timeout-keep-alive", str(LIMIT), "--websocket_connect_timeout", str(LIMIT)),
            *("--ping-interval", str(LIMIT), "--ping-timeout", str(LIMIT)),
        ),
        ("--workers", "2"),
        (
            ("half_head", "half_body", "before", "during", "idle"),
            ("half_head", "connecting", *PINGED),
        ),
        after=15,
        death=r"Worker \d \(process \d+\) was ended by SIGKILL",
    ),
    "daphne": Kind(
        r"Listening on TCP address (\S+):(\d+)$",
        ("-p", "0", "-v", "1"),
        (
            *("--http-timeout", str(LIMIT), "--websocket_connect_timeout", str(LIMIT)),
            *("--ping-interval", str(LIMIT), "--ping-timeout", str(LIMIT)),
        ),
        None,
        (("before",), ("connecting", *PINGED)),
        after=12,  # calls are cancelled 10 s after their client has left
        streams_content=False,
    ),
    "uvicorn": Kind(
        r"Uvicorn running on http://(\S+):(\d+) ",
        ("--port", "0", "--timeout-graceful-shutdown", str(GRACEFUL)),
        (
            *("--timeout-keep-alive", str(LIMIT)),
            *("--ws-ping-interval", str(LIMIT), "--ws-ping-timeout", str(LIMIT)),
        ),
        ("--workers", "2"),
        (("idle",), PINGED),
        after=5,
        death=r"Child process \[\d+\] died",
    ),
}


@dataclass
class Servers:
    """Starts servers, and keeps those that nothing has been done to for the next cell."""

    kind: Kind
    command: list[str]
    folder: Path
    postgres: str
    redis: str
    kept: dict[tuple[str, str, str], list[Server]] = field(default_factory=dict)

    def take(self, what: tuple[str, str, str]) -> Server:
        """A server: of which sort, with which database and channel layer."""
        kept = self.kept.get(what, [])
        rested = [server for server in kept if time.monotonic() - server.killed > RESTART]
        if not rested:
            return self.start(*what)
        kept.remove(rested[0])
        rested[0].begin()
        return rested[0]

    def give_back(self, what: tuple[str, str, str], server: Server) -> None:
        self.kept.setdefault(what, []).append(server)

    def start(self, sort: str, database: str, layer: str, *more: str) -> Server:
        flags = list(self.kind.flags)
        if sort == "short time-outs":
            flags += self.kind.short
        if sort == "workers":
            flags += self.kind.workers or ()
        folder = self.folder / f"server{next(_numbers)}"
        folder.mkdir()
        environment = {
            "MOMENTS_FOLDER": str(folder),
            "MOMENTS_POSTGRES": self.postgres,
            "MOMENTS_DATABASE": database,
            "PYTHONUNBUFFERED": "1",
            **({"MOMENTS_REDIS": self.redis} if layer == "redis" else {}),
        }
        process = ServerProcess(
            [*END_WITH_TESTS, *self.command],
            APPLICATION,
            (*flags, *more),
            folder,
            environment,
            cwd=HERE,
        )
        try:
            match = process.wait_for_log(re.compile(self.kind.listening, re.MULTILINE), 30)
            process.host, process.port = match[1], int(match[2])
            return Server(self.kind, process, folder, workers=2 if sort == "workers" else 1)
        except BaseException:
            process.kill()
            raise

    def close(self) -> None:
        for kept in self.kept.values():
            for server in kept:
                server.close()


class Server:
    """A running server with a bystander at each of its workers."""

    def __init__(self, kind: Kind, process: ServerProcess, folder: Path, workers: int) -> None:
        self.kind = kind
        self.process = process
        self.folder = folder
        self.killed = -1e9  # when a worker was
        self._workers = workers
        self._mark = 0
        self.bystanders: dict[int, Bystander] = {}
        self.begin()

    @property
    def address(self) -> tuple[str, int]:
        return (self.process.host, self.process.port)

    def begin(self) -> None:
        """Begins a cell, with a bystander at each worker that lives now."""
        for pid, bystander in list(self.bystanders.items()):
            if bystander.ended.is_set():
                self.bystanders.pop(pid).close()
        self._find_bystanders()
        self._mark = (self.folder / "ledger").stat().st_size

    def _find_bystanders(self) -> None:
        """The kernel chooses a connection's worker, so it may take some."""
        end = time.monotonic() + 30
        while len(self.bystanders) < self._workers:
            assert time.monotonic() < end, f"no second worker: {self.process.log()[-2000:]}"
            try:
                found = Bystander(self.address, known=self.bystanders)
            except ConnectionRefusedError:  # uvicorn says too early that it listens
                time.sleep(0.05)
                continue
            if found.pid in self.bystanders:
                found.close()
                time.sleep(0.02)
            else:
                self.bystanders[found.pid] = found

    def drop_bystanders(self) -> None:
        for bystander in self.bystanders.values():
            bystander.close()
        self.bystanders.clear()

    def worker_of(self, key: str, port: int) -> int:
        """The process that serves a client: it has noted it, or the kernel's tables tell."""
        end = time.monotonic() + 5
        while True:
            for pid, about, _ in self.notes():
                if about == key:
                    return pid
            for pid in self.bystanders:
                if (self.process.port, port) in self._connections(pid):
                    return pid
            assert time.monotonic() < end, "no worker has taken the connection"
            time.sleep(0.02)

    def _connections(self, pid: int) -> list[tuple[int, int]]:
        """The ports of both ends of the TCP connections that a process has open."""
        table = {}
        for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            local, remote = (int(address.split(":")[1], 16) for address in fields[1:3])
            table[f"socket:[{fields[9]}]"] = (local, remote)
        return [table[name] for name in self._files(pid) if name in table]

    def _files(self, pid: int) -> list[str]:
        found = []
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                found.append(str(entry.readlink()))
        return found

    def notes(self, start: int | None = None) -> list[tuple[int, str, str]]:
        """What the applications noted since the cell began: (process, key, what)."""
        with (self.folder / "ledger").open("rb") as ledger:
            ledger.seek(self._mark if start is None else start)
            data = ledger.read()
        lines = [line.split(" ", 2) for line in data.decode().splitlines()]
        return [(int(pid), key, what) for pid, key, what in lines]

    def wait_for_note(self, key: str, what: str, timeout: float = 5) -> None:
        end = time.monotonic() + timeout
        while not any(about == key and said == what for _, about, said in self.notes()):
            if time.monotonic() > end:
                said = [said for _, about, said in self.notes() if about == key]
                raise AssertionError(f"the application didn't get to {what!r}: it noted {said}")
            time.sleep(0.01)

    def release(self, key: str) -> None:
        """Lets the application go on that waits in a pause."""
        (self.folder / f"{key}.go").touch()

    def open_files(self, pid: int) -> Counter[str]:
        """What a process has open, by kind or name.

        Without Unix sockets: those lead to the database and to Redis, whose connections are pooled
        and counted elsewhere.
        """
        found = Counter(name.split(":")[0] for name in self._files(pid))
        found["socket"] = 0
        found["TCP connection"] = len(self._connections(pid))
        return found

    def close(self) -> None:
        self.drop_bystanders()
        self.process.kill()
