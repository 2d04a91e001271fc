"""A crowd of clients: random applications, left at random moments, in random ways."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from matrix import APPLICATIONS, Application
from services import Database
from wire import TEXT, Wire, close_payload, frame, handshake

AT_ONCE = 40  # clients; each holds one of the pool's connections for a moment
LONGEST_STAY = 0.4  # seconds
LONGEST_NAP = 0.03  # seconds, of an application at each moment


@dataclass
class Crowd:
    """Sends clients to a server; the same seed sends the same ones.

    Attributes:
        leave: whether they leave in the middle; otherwise they stay to the end and say goodbye.
        clients: how many have come.
        answers: the status lines that those got who stayed.
    """

    address: tuple[str, int]
    random: random.Random
    leave: bool = True
    clients: int = 0
    answers: Counter[str] = field(default_factory=Counter)

    def failures(self) -> list[str]:
        """The answers that weren't good, to clients that stayed."""
        return [what for what in self.answers if re.match("HTTP/1.1 (?!200|101)", what)]

    def send(self, clients: int) -> None:
        """Sends so many, some at once, and returns when all have gone."""
        asyncio.run(self._send(clients))

    async def _send(self, clients: int) -> None:
        places = asyncio.Semaphore(AT_ONCE)

        async def one() -> None:
            async with places:
                await self._visit(self.random.choice(APPLICATIONS))

        await asyncio.gather(*(one() for _ in range(clients)))

    async def _visit(self, app: Application) -> None:
        stays = not self.leave and not app.endless
        way = "stay" if stays else self.random.choice(("close", "reset", "half_close", "stay"))
        self.clients += 1
        nap = self.random.uniform(0, LONGEST_NAP)
        stay = self.random.uniform(0, LONGEST_STAY)
        target = f"/{app.name}/crowd?size=100000&nap={nap:.4f}"
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            with suppress(ConnectionError):
                if app.websocket:
                    await self._chat(reader, writer, target, way, stay)
                else:
                    await self._ask(reader, writer, target, app, way, stay)
                if way == "half_close":
                    writer.write_eof()
                    await asyncio.sleep(self.random.uniform(0, 0.1))
        finally:
            if way == "reset":
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        target: str,
        app: Application,
        way: str,
        stay: float,
    ) -> None:
        request = f"GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode()
        if way != "stay" and self.random.random() < 0.1:  # some don't even finish their question
            request = request[: self.random.randrange(1, len(request))]
        writer.write(request)
        whole = way == "stay" and not app.endless
        with suppress(asyncio.TimeoutError):
            answer = await asyncio.wait_for(_read_all(reader), 30 if whole else stay)
            if whole:
                self.answers[answer.split(b"\r\n")[0].decode()] += 1

    async def _chat(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        target: str,
        way: str,
        stay: float,
    ) -> None:
        writer.write(handshake(target).encode())
        if way == "stay":  # otherwise some leave before they are accepted
            self.answers[(await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].decode()] += 1
        else:
            with suppress(asyncio.TimeoutError, asyncio.IncompleteReadError):
                await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), stay)
        for _ in range(self.random.randrange(4)):
            writer.write(frame(TEXT, "1"))
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(_read_all(reader), stay)
        if way == "stay":
            writer.write(frame(8, close_payload(1000)))
            await asyncio.wait_for(_read_all(reader), 30)


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    data = bytearray()
    while piece := await reader.read(1 << 16):
        data += piece
    return bytes(data)


class Neighbour(threading.Thread):
    """Somebody who goes on asking views that need the database, and must always get an answer.

    Attributes:
        connections: the most that the servers had open to the database meanwhile.
    """

    def __init__(self, address: tuple[str, int], database: Database) -> None:
        super().__init__(daemon=True)
        self.connections = 0
        self._database = database
        self.statuses: Counter[int] = Counter()
        self.trouble: list[str] = []
        self.slowest = 0.0
        self._address = address
        self._over = threading.Event()

    def run(self) -> None:
        with Wire.open(self._address) as wire:
            while not self._over.wait(0.02):
                self.connections = max(self.connections, self._database.connections())
                for name in ("dj_sync", "dj_async", "dj_async_stream"):
                    begun = time.monotonic()
                    try:
                        self.statuses[wire.get(f"/{name}/neighbour").status] += 1
                    except Exception as error:
                        self.trouble.append(repr(error))
                        return
                    self.slowest = max(self.slowest, time.monotonic() - begun)

    def __enter__(self) -> Neighbour:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join(20)
