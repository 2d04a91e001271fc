"""What applications tell the tests, and where they stop until a test lets them go on.

Both go through files, which outlive the process: a test reads what ran in a server that has ended.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

FOLDER = Path(os.environ["MOMENTS_FOLDER"])
PAUSE_LIMIT = 20.0  # seconds; a test that has failed must not hold up the server for ever
_PERIOD = 0.02

_ledger = os.open(FOLDER / "ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(key: str, what: str) -> None:
    """Adds a line: the process, whom it concerns, what happened."""
    os.write(_ledger, f"{os.getpid()} {key} {what}\n".encode())


def file_of(size: int) -> Path:
    """A file of so many bytes."""
    path = FOLDER / f"file{size}"
    if not path.exists():
        unfinished = FOLDER / f"file{size}.{os.getpid()}"
        unfinished.write_bytes(b"x" * size)
        unfinished.rename(path)
    return path


@dataclass(frozen=True)
class Visit:
    """What a client asked for: /APPLICATION/KEY?at=MOMENT&size=BYTES&quiet=1&nap=SECONDS.

    Attributes:
        key: names the test's cell in the ledger.
        at: the moment at which the application pauses.
        size: bytes of content, in one piece or spread over parts.
        quiet: an endless stream says nothing after its first part.
        nap: what the application sleeps at every moment, without being asked to wait there.
    """

    key: str
    at: str
    size: int
    quiet: bool
    nap: float

    @classmethod
    def of(cls, path: str, query: str | bytes) -> Visit:
        query = query.decode() if isinstance(query, bytes) else query
        found = {name: values[0] for name, values in parse_qs(query).items()}
        return cls(
            path.rsplit("/", 1)[1],
            found.get("at", ""),
            int(found.get("size", "1000")),
            "quiet" in found,
            float(found.get("nap", "0")),
        )

    def note(self, what: str) -> None:
        note(self.key, what)

    def pause(self, moment: str) -> None:
        """Notes "at MOMENT" and waits for the test, if the visit stops here."""
        if self.nap:
            time.sleep(self.nap)
        if self._begin(moment):
            end = time.monotonic() + PAUSE_LIMIT
            while not self._released() and time.monotonic() < end:
                time.sleep(_PERIOD)

    async def apause(self, moment: str) -> None:
        """The same in a coroutine."""
        if self.nap:
            await asyncio.sleep(self.nap)
        if self._begin(moment):
            end = time.monotonic() + PAUSE_LIMIT
            while not self._released() and time.monotonic() < end:
                await asyncio.sleep(_PERIOD)

    def _begin(self, moment: str) -> bool:
        if self.at == moment:
            self.note(f"at {moment}")
        return self.at == moment

    def _released(self) -> bool:
        return (FOLDER / f"{self.key}.go").exists()
