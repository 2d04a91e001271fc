"""The clients of a rough day, what they counted, and whom the day's accidents may have harmed.

Each connection knows its worker by the first thing that this says. Nobody may wait longer than
`LONGEST`, and no connection may break, unless its worker was a victim then, or for a connection
that has heard nothing yet: unless there was a victim at all.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import websockets

LONGEST = 2.0
"""Seconds that a client may wait while its worker is well."""
GIVE_UP = 20.0
"""Seconds after which a client itself gives up."""
AFTERMATH = 3.0
"""Seconds that an accident's end takes to reach everybody."""
POLITE = (1001, 1012)
"""Codes of a server that stops, or is replaced."""


REDIS = 0
"""Stands for its process."""


@dataclass
class Harm:
    """Something that befell a process."""

    what: str
    pid: int
    begin: float
    end: float = float("inf")

    def explains(self, begin: float, end: float, pid: int | None) -> bool:
        """Whether a wait at that time may be its doing; None is any worker."""
        is_meant = self.pid != REDIS if pid is None else pid == self.pid
        return is_meant and self.begin <= end and begin <= self.end + AFTERMATH


@dataclass
class RoughDay:
    """All clients of a server.

    Attributes:
        whole: responses that came to their end.
        broken: requests for which that is not known, or known not.
        opened: WebSockets that were opened.
        unopened: those for which that is not known, or known not.
        closed_in_order: WebSockets that the server closed as it had to stop.
        told: messages to all that have come.
        slowest: seconds that the slowest step took beside all harm.
        trouble: what nobody's harm explains, for people.
    """

    address: tuple[str, int]
    random: random.Random
    harms: list[Harm] = field(default_factory=list)
    whole: int = 0
    broken: int = 0
    opened: int = 0
    unopened: int = 0
    told: int = 0
    slowest: float = 0
    trouble: list[str] = field(default_factory=list)
    closed_in_order: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def _is_explained(self, begin: float, pids: Sequence[int | None]) -> bool:
        now = time.monotonic()
        return any(harm.explains(begin, now, pid) for harm in self.harms for pid in pids)

    @asynccontextmanager
    async def _step(self, what: str, *pids: int | None) -> AsyncIterator[None]:
        """Something that must be done in LONGEST and without an error.

        It raises ConnectionError for an error, which is noted unless a harm to one of the processes
        explains it, or the server was polite.
        """
        begin = time.monotonic()
        try:
            async with asyncio.timeout(GIVE_UP):
                yield
        except (OSError, EOFError, TimeoutError, websockets.WebSocketException) as error:
            took = time.monotonic() - begin
            if getattr(getattr(error, "rcvd", None), "code", None) in POLITE:
                self.closed_in_order += 1
            elif not self._is_explained(begin, pids):
                self.trouble.append(f"{what} at {pids}: {error!r} after {took:.1f} s")
            raise ConnectionError from error
        took = time.monotonic() - begin
        if self._is_explained(begin, pids):
            return
        self.slowest = max(self.slowest, took)
        if took > LONGEST:
            self.trouble.append(f"{what} at {pids} took {took:.1f} s")

    async def run(self, everyone: int) -> None:
        """Lets so many of each kind of client live until `over`."""
        lives = [
            self._live(kind)
            for kind in (self._ask, self._listen, self._talk)
            for _ in range(everyone)
        ]
        await asyncio.gather(*lives)

    async def _live(self, kind: Callable[[], Awaitable[None]]) -> None:
        while not self.over.is_set():
            with suppress(ConnectionError):
                await kind()
            await asyncio.sleep(self.random.uniform(0, 0.3))

    # --- requests ---

    async def _ask(self) -> None:
        """Some requests on one connection."""
        async with self._connection() as (reader, writer):
            pid = None
            for _ in range(self.random.randrange(1, 40)):
                if self.over.is_set():
                    break
                sleep = self.random.choice((0, 0, 0.05))
                self.broken += 1
                async with self._step("a request", pid):
                    writer.write(f"GET /?sleep={sleep} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
                    head = (await reader.readuntil(b"\r\n\r\n")).lower()
                    if not head.startswith(b"http/1.1 200"):
                        self.trouble.append(f"answered {head!r}")
                    length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                    pid = int(await reader.readexactly(length))
                self.broken -= 1
                self.whole += 1
                if b"connection: close" in head:
                    break
                await asyncio.sleep(self.random.uniform(0, 0.2))

    async def _listen(self) -> None:
        """Server-sent events to their end."""
        async with self._connection() as (reader, writer):
            self.broken += 1
            pid = None
            line = b""
            writer.write(b"GET /events HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            while line != b"0\r\n":  # the last chunk
                async with self._step("an event", pid):
                    line = await reader.readline()
                    if not line:
                        raise EOFError
                if line.startswith(b"data: "):
                    pid = int(line[6:])
            self.broken -= 1
            self.whole += 1

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        async with self._step("connecting", None):
            reader, writer = await asyncio.open_connection(*self.address)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    # --- WebSockets ---

    async def _talk(self) -> None:
        """Some echoes, and some messages to all."""
        host, port = self.address
        uri = f"ws://{host}:{port}/room"
        self.unopened += 1
        async with self._step("a handshake", None, REDIS):
            try:
                socket = await websockets.connect(
                    uri, ping_interval=None, open_timeout=GIVE_UP, close_timeout=1, compression=None
                )
            except websockets.InvalidStatus:
                self.unopened -= 1
                raise
        self.unopened -= 1
        self.opened += 1
        async with socket:
            async with self._step("the first message", None, REDIS):
                pid = int(await socket.recv())
            for number in range(self.random.randrange(1, 60)):
                if self.over.is_set():
                    break
                text = f"{'all ' if number % 10 == 9 else ''}{id(socket)} {number}"
                async with self._step("an echo", pid, REDIS):
                    await socket.send(text)
                    while (found := await socket.recv()) != text:
                        self.told += found.startswith("all ")
                await asyncio.sleep(self.random.uniform(0, 0.3))
