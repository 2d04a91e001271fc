"""Applications that fork beside a running server: the child has copies, which it must let go of.

What they name in the kernel is its parent's: epoll descriptors that both share, sockets that stay
open as long as anybody has them, files of Unix sockets, counters in shared memory. So a child, of
`os.fork` or of multiprocessing, closes its copies at once, in a way that the parent doesn't notice,
and never serves. It may do what it likes otherwise, end in any way, and be ended by SIGTERM; only
its parent's event loop is nothing that it can go on with.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import signal
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cppasgi.serving.signals import STOP_SIGNALS

if TYPE_CHECKING:
    from cppasgi import _native
    from cppasgi.serving.listeners import InheritedListeners, Listeners
    from cppasgi.serving.signals import StopSignals

logger = logging.getLogger("cppasgi.server")


class _Copies:
    """What a child will have of one server."""

    def __init__(
        self,
        native: _native.Server,
        listeners: Listeners | InheritedListeners,
        signals: StopSignals,
        loop: asyncio.AbstractEventLoop,
        owns_loop: bool,
    ) -> None:
        self._native = native
        self._listeners = listeners
        self._signals = signals
        self._loop = loop
        self._owns_loop = owns_loop

    def let_go(self) -> None:
        self._native.disown()
        self._listeners.disown()
        self._signals.disown()
        _replace_epoll(self._loop)
        if not self._owns_loop:
            return
        ready = getattr(self._loop, "_ready", None)
        if ready is not None:
            self._loop.call_soon(_end)
            ready.rotate(1)  # what is ready as well is for the parent to do
        else:
            # uvloop, which ends by a SystemExit only after whatever is ready now.
            self._loop.call_soon(self._loop.call_soon, _end)


_RUNNING: set[_Copies] = set()


@contextlib.contextmanager
def let_go_in_children(
    native: _native.Server,
    listeners: Listeners | InheritedListeners,
    signals: StopSignals,
    loop: asyncio.AbstractEventLoop,
    *,
    owns_loop: bool,
) -> Iterator[None]:
    """While the body runs, a forked child lets go of the server that has these parts.

    Args:
        native: the server.
        listeners: its addresses.
        signals: its handlers.
        loop: that it runs in.
        owns_loop: whether that was made for it: a child that comes back to it then ends.
    """
    copies = _Copies(native, listeners, signals, loop, owns_loop)
    _RUNNING.add(copies)
    try:
        yield
    finally:
        _RUNNING.discard(copies)


class _Mask(threading.local):
    """Signals that wait in this thread while it forks, and what else waited before."""

    former: Iterable[int] | None = None

    def set(self) -> None:
        if _RUNNING:  # a signal to stop that finds our handler in the child would be lost
            self.former = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)

    def reset(self) -> None:
        if self.former is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self.former)
            self.former = None


_SIGNALS = (*STOP_SIGNALS, signal.SIGHUP)
_mask = _Mask()


def _let_go() -> None:
    for copies in list(_RUNNING):
        copies.let_go()
    _RUNNING.clear()
    _mask.reset()


os.register_at_fork(before=_mask.set, after_in_parent=_mask.reset, after_in_child=_let_go)


def _replace_epoll(loop: asyncio.AbstractEventLoop) -> None:
    """Has the child's copy of a loop wait on an epoll of its own.

    Whatever closes or forgets a descriptor there, and be it the loop's end or a stream that is
    garbage, would take it from the parent's loop too.
    """
    selector = getattr(loop, "_selector", None)
    if selector is not None:
        fd = selector.fileno()
    elif hasattr(loop, "_get_backend_id"):  # uvloop
        fd = loop._get_backend_id()
    else:
        return
    with select.epoll() as own:
        os.dup2(own.fileno(), fd, inheritable=False)


def _end() -> None:
    logger.error(
        "A forked child of process %d came back to that one's event loop, so it ends", os.getppid()
    )
    os._exit(1)
