"""The board: shared memory with one block of counters per worker process, for who serves metrics.

Blocks and their layout are native (server/metrics.h). A worker writes its own block without asking
anybody; the process that made the board reads them, and lends and takes back blocks. It is the only
one that may: `allocate()` and `retire()` know no lock.
"""

from __future__ import annotations

import mmap
import os
import time
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from cppasgi._native import METRICS_BYTES, METRICS_ROUTES, metrics_layout
from cppasgi.observing.routes import RouteCounts, Routes

_WORD = 8
_FLAGS = 0  # the block with one byte for each block, 1 while it is lent
_PAST = 1  # the block with what blocks counted that were taken back
_FIRST = 2
LEAST_SLOTS = 256
SLOTS_PER_WORKER = 4
"""Each worker's own, its successor's, and those of predecessors that drain."""


class Row(NamedTuple):
    """One number of a block; see `cppasgi._native.metrics_layout`."""

    family: str
    kind: str
    help: str
    label: str
    value: str
    offset: int

    @property
    def word(self) -> int:
        """Its place among the numbers of a block."""
        return self.offset // _WORD


LAYOUT = [Row(*row) for row in metrics_layout()]
NANOSECONDS = 1e9
"""A board's times are in them."""


def rows(family: str, value: str | None = None) -> list[Row]:
    """The numbers of a family, or of one value of its label."""
    return [row for row in LAYOUT if row.family == family and value in (None, row.value)]


CONNECTIONS = rows("cppasgi_connections")[0]
LOOP_LAG = rows("cppasgi_worker_loop_lag_seconds")[0]
GIL_WAIT = rows("cppasgi_worker_gil_wait_seconds")[0]
_HEARTBEAT = rows("cppasgi_worker_heartbeat_seconds")[0]
_SILENCE = rows("cppasgi_worker_silence_seconds")[0]
_REQUESTS = [
    *rows("cppasgi_http_requests_total"),
    *rows("cppasgi_websocket_handshakes_total"),
]
_IN_FLIGHT = rows("cppasgi_http_requests_in_flight")[0]
_CUT = rows("cppasgi_http_requests_total", "cut")[0]
_WEBSOCKETS = rows("cppasgi_websocket_connections")[0]
_ABNORMAL = rows("cppasgi_websocket_disconnects_total", "1006")[0]

LAYOUT_ID = zlib.crc32(repr((METRICS_BYTES, METRICS_ROUTES, LAYOUT)).encode())
"""Tells layouts apart: after an upgrade in place a worker's may differ from its supervisor's."""


class BoardSlot(NamedTuple):
    """One worker's block: the board's descriptor as that process knows it, and the place in it."""

    fd: int
    place: int


class MetricsBoard:
    """All blocks. Make one with `create()`; a process that inherits it uses `from_fd()`."""

    def __init__(self, fd: int) -> None:
        """Takes over ``fd``; use `create()` or `from_fd()`."""
        self._fd = fd
        self._memory = mmap.mmap(fd, os.fstat(fd).st_size)
        self._words = memoryview(self._memory).cast("Q")
        self._routes = Routes()

    @classmethod
    def create(cls, slots: int = LEAST_SLOTS) -> MetricsBoard:
        """Makes an empty board for at most ``slots`` workers at a time.

        What isn't used takes no memory. The descriptor isn't inherited unless asked for.

        Raises:
            ValueError: there can't be so many.
            OSError: the kernel has no room.
        """
        if not 1 <= slots <= METRICS_BYTES - _FIRST:
            raise ValueError(f"a board has 1 to {METRICS_BYTES - _FIRST} slots: {slots}")
        fd = os.memfd_create("cppasgi-metrics", os.MFD_CLOEXEC)
        os.ftruncate(fd, (_FIRST + slots) * METRICS_BYTES)
        return cls(fd)

    @classmethod
    def from_fd(cls, fd: int) -> MetricsBoard:
        """Opens a board that another process made, and owns ``fd`` from then on.

        Raises:
            OSError, ValueError: that is no board.
        """
        return cls(fd)

    def fileno(self) -> int:
        """The descriptor, for workers to inherit."""
        return self._fd

    def close(self) -> None:
        """Lets go of the memory and the descriptor; servers keep counting in it."""
        self._words.release()
        self._memory.close()
        os.close(self._fd)

    def allocate(self) -> BoardSlot:
        """Lends a block, which is all zeros.

        Raises:
            RuntimeError: all are lent.
        """
        for index in range(_FIRST, len(self._memory) // METRICS_BYTES):
            if not self._memory[index]:
                self._memory[index] = 1
                return BoardSlot(self._fd, index)
        raise RuntimeError("all slots of the metrics board are taken")

    def retire(self, slot: BoardSlot) -> None:
        """Takes a block back: its counts are kept as the past's, its gauges end.

        What its process had open it could no longer count, as it was killed: requests in flight
        are counted as cut, WebSockets as closed with 1006.

        Only after its process has ended (was waited for): nobody may write there any more.

        Raises:
            ValueError: the block isn't lent.
        """
        if not self._is_lent(slot.place):
            raise ValueError(f"slot {slot.place} of the metrics board is not in use")
        block = self._block(slot.place)
        past = self._block(_PAST)
        for row in LAYOUT:
            if row.kind in ("counter", "histogram") and block[row.word]:
                past[row.word] += block[row.word]
                block[row.word] = 0
        self._routes.retire(bytes(block))
        past[_CUT.word] += block[_IN_FLIGHT.word]
        past[_ABNORMAL.word] += block[_WEBSOCKETS.word]
        block[:] = memoryview(bytes(METRICS_BYTES)).cast("Q")
        self._memory[slot.place] = 0

    def totals(self) -> list[int]:
        """The numbers of all blocks and the past, added up word by word (`Row.word`)."""
        return [sum(words) for words in zip(*self._lists(), strict=True)]

    def routes(self) -> dict[str, RouteCounts]:
        """What the requests of each route have cost, in all blocks and the past."""
        return self._routes.totals(bytes(self._block(index)) for index in self._lent())

    def read(self, slot: BoardSlot) -> list[int]:
        """The numbers of one worker, by word."""
        return self._block(slot.place).tolist()

    def requests(self, slot: BoardSlot) -> int:
        """HTTP requests and opening handshakes that one worker has answered."""
        block = self._block(slot.place)
        return sum(block[row.word] for row in _REQUESTS)

    def connections(self) -> int:
        """Open connections of all workers."""
        return sum(words[CONNECTIONS.word] for words in self._lists())

    def heartbeat_age(self, slot: BoardSlot) -> float | None:
        """Seconds since the event loop of one worker last answered; None before the first time."""
        beat: int = self._block(slot.place)[_HEARTBEAT.word]
        return (time.monotonic_ns() - beat) / NANOSECONDS if beat else None

    def silence(self, slot: BoardSlot) -> float:
        """Seconds for which the event loop of one worker hasn't run, though its process could.

        Other than in `heartbeat_age`, time in which the process was stopped isn't in it.
        """
        nanoseconds: int = self._block(slot.place)[_SILENCE.word]
        return nanoseconds / NANOSECONDS

    def _lists(self) -> Iterator[list[int]]:
        yield self._block(_PAST).tolist()
        for index in self._lent():
            yield self._block(index).tolist()

    def _lent(self) -> Iterator[int]:
        places = range(_FIRST, len(self._memory) // METRICS_BYTES)
        return (index for index in places if self._memory[index])

    def _is_lent(self, index: int) -> bool:
        return _FIRST <= index < len(self._memory) // METRICS_BYTES and self._memory[index] == 1

    def _block(self, index: int) -> memoryview:
        words = METRICS_BYTES // _WORD
        return self._words[index * words : (index + 1) * words]
