"""What the requests of each of an application's routes have cost, from the blocks of its workers.

Each block has the routes that its worker met first (server/metrics.h). Here they come together, by
name; as there are new workers again and again, the number of names is bounded here too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cppasgi._native import METRICS_ROUTES

OTHER = "other"
"""For routes that have no place, or whose name is too long."""
_OFFSET, _BYTES, _COUNT = METRICS_ROUTES
_NUMBERS = struct.Struct("=4Q")


class RouteCounts(NamedTuple):
    """Of one route: requests, those that failed (5xx, or cut), and their time in nanoseconds."""

    requests: int = 0
    failures: int = 0
    nanoseconds: int = 0


class Routes:
    """The routes of a board; names that were met once stay."""

    def __init__(self) -> None:
        self._past: dict[str, RouteCounts] = {}  # of blocks that were taken back
        self._names = {OTHER}

    def retire(self, block: bytes) -> None:
        """Keeps what a block has counted that is taken back."""
        self._add([block], self._past)

    def totals(self, blocks: Iterable[bytes]) -> dict[str, RouteCounts]:
        """The past and these blocks, by the name of the route."""
        totals = dict(self._past)
        self._add(blocks, totals)
        return totals

    def _add(self, blocks: Iterable[bytes], sums: dict[str, RouteCounts]) -> None:
        for block in blocks:
            for name, counts in _routes_of(block):
                known = self._known(name)
                both = zip(sums.get(known, RouteCounts()), counts, strict=True)
                sums[known] = RouteCounts(*map(sum, both))

    def _known(self, name: str) -> str:
        if name not in self._names and len(self._names) < _COUNT:
            self._names.add(name)
        return name if name in self._names else OTHER


def _routes_of(block: bytes) -> Iterator[tuple[str, RouteCounts]]:
    for place in range(_COUNT):
        begin = _OFFSET + place * _BYTES
        name_bytes, *counts = _NUMBERS.unpack_from(block, begin)
        if not counts[0]:
            continue
        name_begin = begin + _NUMBERS.size
        name = block[name_begin : name_begin + name_bytes].decode(errors="backslashreplace")
        yield name or OTHER, RouteCounts(*counts)
