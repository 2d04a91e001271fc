"""Counts what calls leave behind: Python's objects, its memory blocks, and malloc's bytes."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

FAILURES = int(os.environ.get("TEST_FAILURES", "500"))
"""How many calls go wrong in each test."""


class MallocInfo(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks"),
            *("fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def malloc_bytes() -> int:
    """Bytes in use that malloc gave; 0 where it doesn't tell."""
    try:
        mallinfo = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return 0
    mallinfo.restype = MallocInfo
    return int(mallinfo().uordblks)


def type_name(item: object) -> str:
    """The name with the module's, which is read without asking the type's own code."""
    return type.__repr__(type(item)).removeprefix("<class '").removesuffix("'>")


def collect() -> None:
    while gc.collect():
        pass


def live() -> Counter[str]:
    """The objects that the collector knows, by type."""
    return Counter(map(type_name, gc.get_objects()))


def of_calls(counts: Counter[str]) -> dict[str, int]:
    """The objects of the server that calls are made of."""
    names = ("ApplicationCall", "Receive", "Send", "Waiter", "Completed", "Notice")
    return {name: counts[f"cppasgi._native.{name}"] for name in names}


async def check_that_nothing_is_left(fail: Callable[[], Awaitable[None]]) -> None:
    """What it makes is gone at its end. No call runs before or after it.

    A leak shows each time; caches, which the first calls fill or a busy machine, do once or twice.
    """
    for _ in range(2):
        with suppress(AssertionError):
            return await check_once_that_nothing_is_left(fail)
    await check_once_that_nothing_is_left(fail)


async def check_once_that_nothing_is_left(fail: Callable[[], Awaitable[None]]) -> None:
    collect()
    before = live()
    assert not any(of_calls(before).values())
    blocks, size = sys.getallocatedblocks(), malloc_bytes()
    await fail()
    collect()
    more_blocks, more_bytes = sys.getallocatedblocks() - blocks, malloc_bytes() - size
    after = live()
    assert not any(of_calls(after).values())
    few = 50 + FAILURES // 20
    assert not {name: count for name, count in (after - before).items() if count > few}
    assert more_blocks < FAILURES // 2
    assert more_bytes < FAILURES * 64
