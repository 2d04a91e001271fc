"""Ends a process whose event loop is stuck for good, so that somebody can put another in its place.

The judge is a native thread (`cppasgi._native.LoopGuard`): code that never gives the interpreter
back can't stop it. Signs of life come from a timer of the loop itself and not from
`cppasgi.observing.loop_watch`, whose thread logs and may have to wait for a handler of the
application's.
"""

from __future__ import annotations

import asyncio
import faulthandler
import signal
from typing import TYPE_CHECKING

from cppasgi import _native
from cppasgi.serving.signals import STACKS_SIGNAL

if TYPE_CHECKING:
    from cppasgi.observing.board import BoardSlot

EXIT_STUCK = 4
"""Exit status of a process whose event loop was stuck."""

_PERIOD_SECONDS = 1.0
"""Between two signs of life, at most."""
_BEATS = 8
"""How many are missing at least when the time is over."""


class LoopGuard:
    """Guards the running loop of the main thread, until `stop()`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limit: float, board: BoardSlot | None
    ) -> None:
        """Starts the native thread.

        Args:
            loop: the running loop.
            limit: seconds without a sign of life after which the process ends, of the time in which
                it could run; infinite never ends it.
            board: where to tell of the loop's silence.
        """
        self._loop = loop
        self._period = min(_PERIOD_SECONDS, limit / _BEATS)
        # The stacks are written by the signal's handler, which the command has; a program of its
        # own may have none, and then the signal is nobody's.
        self._lends_handler = signal.getsignal(STACKS_SIGNAL) == signal.SIG_DFL
        if self._lends_handler:
            faulthandler.register(STACKS_SIGNAL, file=2, all_threads=True)
        fd, place = (-1, 0) if board is None else (board.fd, board.place)
        self._native = _native.LoopGuard(limit, self._period, STACKS_SIGNAL, EXIT_STUCK, fd, place)
        self._timer = loop.call_later(self._period, self._beat)

    def stop(self) -> None:
        """Has the process go on, whatever happens."""
        self._timer.cancel()
        self._native.stop()
        if self._lends_handler:
            faulthandler.unregister(STACKS_SIGNAL)

    def _beat(self) -> None:
        self._native.beat()
        self._timer = self._loop.call_later(self._period, self._beat)
