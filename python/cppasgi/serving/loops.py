"""Makes, runs and unmakes the event loop of a server that runs on its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from cppasgi.serving.native_loop import NativeLoop

if TYPE_CHECKING:
    from cppasgi.settings.server_settings import LoopName


_NATIVE_BEFORE = (3, 14)
"""Pythons that `NativeLoop` isn't tested with, whose insides it may not fit."""

_CLOSE_SECONDS = 1.0
"""What tasks of the application get that still run when the loop is closed."""
_LEAST_CLOSE_SECONDS = 0.1
"""The same when no time is left."""


def loop_factory(
    name: LoopName, threads: int | None = None
) -> Callable[[], asyncio.AbstractEventLoop]:
    """Chooses the kind of event loop, whose default executor gets so many threads.

    ``native`` is `NativeLoop`, ``asyncio`` the standard selector loop whatever the policy says.
    ``auto`` is the native one with the versions of Python that it is tested with; with later ones
    uvloop where it is importable, else the loop of the current policy. Where nest_asyncio has
    patched the standard loop by the time that one is made, both are that: it may run inside itself.

    Raises:
        ImportError: uvloop is demanded and not importable.
        ValueError: no such name.
    """
    factory = _factory(name)
    if threads is None:
        return factory

    def make() -> asyncio.AbstractEventLoop:
        from concurrent.futures import ThreadPoolExecutor  # which few starts need

        loop = factory()
        loop.set_default_executor(ThreadPoolExecutor(threads, "asgi"))
        return loop

    return make


def _factory(name: LoopName) -> Callable[[], asyncio.AbstractEventLoop]:
    if name == "asyncio":
        return asyncio.SelectorEventLoop
    if name == "uvloop":
        return _uvloop()
    if name not in ("auto", "native"):
        raise ValueError(f'loop must be "auto", "native", "asyncio" or "uvloop", not {name!r}')
    factory: Callable[[], asyncio.AbstractEventLoop] = NativeLoop
    if name == "auto" and sys.version_info >= _NATIVE_BEFORE:
        factory = asyncio.new_event_loop
        with contextlib.suppress(ImportError):
            factory = _uvloop()
    return lambda: asyncio.SelectorEventLoop() if _is_patched() else factory()


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError as error:
        raise ImportError(f"The loop uvloop is not available: {error}") from error
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _is_patched() -> bool:
    """Whether the standard loop has other turns than asyncio's, as after nest_asyncio.apply()."""
    stock, base = asyncio.SelectorEventLoop, asyncio.BaseEventLoop
    return stock._run_once is not base._run_once  # type: ignore[attr-defined]


def makes_plain_tasks(loop: asyncio.AbstractEventLoop) -> bool:
    """Tells whether ``loop.create_task`` is asyncio's or uvloop's own: nobody has replaced it."""
    makers = [asyncio.BaseEventLoop.create_task]
    # Another thread may be importing it right now: then it has no loops yet, and this one is none.
    if uvloop_loop := getattr(sys.modules.get("uvloop"), "Loop", None):
        makers.append(uvloop_loop.create_task)
    return type(loop).create_task in makers and "create_task" not in getattr(loop, "__dict__", ())


def refuse_running_loop() -> None:
    """Makes sure that this thread may run a loop of its own.

    Raises:
        RuntimeError: one runs already, and can't run inside itself as nest_asyncio has it.
    """
    if asyncio._get_running_loop() is not None and not _is_patched():
        raise RuntimeError("run() makes an event loop; inside one that runs already, await serve()")


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


def run_to_its_end(
    loop: asyncio.AbstractEventLoop, serving: asyncio.Task[None], stop: Callable[[], object]
) -> SystemExit | None:
    """Runs ``loop`` until ``serving`` is done; raises what that does.

    A KeyboardInterrupt or SystemExit out of another task calls ``stop``, and ``serving`` goes on to
    its end.

    Out of a forked child it is raised at once: the loop is the parent's.

    Returns:
        The latest such SystemExit.
    """
    process = os.getpid()
    exit_request: SystemExit | None = None
    while not serving.done():
        try:
            loop.run_until_complete(serving)
        except (KeyboardInterrupt, SystemExit) as error:
            if serving.done() or os.getpid() != process:
                raise
            if isinstance(error, SystemExit):
                exit_request = error
            stop()
    return exit_request


def close_loop(loop: asyncio.AbstractEventLoop, seconds_left: float) -> None:
    """Cancels what still runs on ``loop``, gives it some of the time that is left, and closes it.

    Differs from ``asyncio.run``: neither a task that swallows its cancellation nor a thread of the
    default executor is waited for longer.
    """
    timeout = max(min(seconds_left, _CLOSE_SECONDS), _LEAST_CLOSE_SECONDS)
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
