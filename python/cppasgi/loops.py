"""Makes and unmakes the event loop of a server that runs on its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from typing import Literal, TypeAlias

from cppasgi.native_loop import NativeLoop

LoopName: TypeAlias = Literal["auto", "native", "asyncio", "uvloop"]

_NATIVE_BEFORE = (3, 14)
"""Pythons that `NativeLoop` isn't tested with, whose insides it may not fit."""


def loop_factory(name: LoopName) -> Callable[[], asyncio.AbstractEventLoop]:
    """Chooses the kind of event loop.

    ``native`` is `NativeLoop`, ``asyncio`` the standard selector loop whatever the policy says.
    ``auto`` is the native one with the versions of Python that it is tested with; with later ones
    uvloop where it is importable, else the loop of the current policy.

    Raises:
        ImportError: uvloop is demanded and not importable.
        ValueError: no such name.
    """
    if name == "asyncio":
        return asyncio.SelectorEventLoop
    if name == "native" or (name == "auto" and sys.version_info < _NATIVE_BEFORE):
        return NativeLoop
    if name not in ("auto", "uvloop"):
        raise ValueError(f'loop must be "auto", "native", "asyncio" or "uvloop", not {name!r}')
    try:
        import uvloop
    except ImportError as error:
        if name == "uvloop":
            raise ImportError(f"The loop uvloop is not available: {error}") from error
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def makes_plain_tasks(loop: asyncio.AbstractEventLoop) -> bool:
    """Tells whether ``loop.create_task`` is asyncio's or uvloop's own: nobody has replaced it."""
    makers = [asyncio.BaseEventLoop.create_task]
    if uvloop := sys.modules.get("uvloop"):
        makers.append(uvloop.Loop.create_task)
    return type(loop).create_task in makers and "create_task" not in getattr(loop, "__dict__", ())


def thread_pool_size() -> int | None:
    """Reads how many threads the default executor gets: the variable ASGI_THREADS, as with Daphne.

    The executor runs `asyncio.to_thread` and what asgiref runs with ``thread_sensitive=False``.
    None leaves the size to asyncio.

    Raises:
        ValueError: the variable is no number from 1 on; the text is one line.
    """
    text = os.environ.get("ASGI_THREADS")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(f"ASGI_THREADS must be a number from 1 on: {text!r}")
    return int(text)


def close_loop(loop: asyncio.AbstractEventLoop, timeout: float) -> None:
    """Cancels what still runs on ``loop``, gives it ``timeout`` seconds to end, and closes it.

    Differs from ``asyncio.run``: neither a task that swallows its cancellation nor a thread of the
    default executor is waited for longer.
    """
    try:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=timeout))
        with contextlib.suppress(asyncio.TimeoutError):
            loop.run_until_complete(asyncio.wait_for(loop.shutdown_asyncgens(), timeout))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
