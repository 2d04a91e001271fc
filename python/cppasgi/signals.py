"""SIGINT and SIGTERM as requests to stop, and the watchdog that makes every stop end."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def arm_watchdog(seconds: float) -> None:
    """Ends the process with status 1 in ``seconds``, with every thread's stack on stderr.

    It runs in C without the GIL, so neither a blocked event loop nor a stuck thread stops it, and
    it stays in force while the interpreter shuts down. Arming again replaces the deadline.
    """
    faulthandler.dump_traceback_later(max(seconds, 0.001), exit=True, file=2)


def disarm_watchdog() -> None:
    """Takes the deadline back."""
    faulthandler.cancel_dump_traceback_later()


class StopSignals:
    """Handles SIGINT and SIGTERM while a server runs in the main thread.

    The first signal calls ``stop`` and arms the watchdog; a second one ends the process at once
    with status 128 + its number. Plain ``signal.signal`` handlers, because they also run while
    Python code blocks the event loop.

    Same as Daphne's: a SIGINT that is ignored at the start (``nohup``, a shell's background job)
    stays ignored.
    """

    def __init__(
        self, stop: Callable[[], None], abandon: Callable[[], None], deadline: float
    ) -> None:
        """Prepares the handlers without installing them.

        Args:
            stop: asks the server to stop; called from a signal handler.
            abandon: last clean-up before the process ends at a second signal; must not block.
            deadline: seconds from the first signal to the end of the process, come what may.
        """
        self._stop = stop
        self._abandon = abandon
        self._deadline = deadline
        self._previous: dict[signal.Signals, object] = {}
        self._received = False

    def install(self) -> None:
        """Takes the signals over; does nothing in another thread than the main one."""
        if threading.current_thread() is not threading.main_thread():
            return
        for signum in STOP_SIGNALS:
            previous = signal.getsignal(signum)
            if signum == signal.SIGINT and previous is signal.SIG_IGN:
                continue
            self._previous[signum] = previous
            signal.signal(signum, self._on_signal)

    def restore(self) -> None:
        """Puts back the former handlers and disarms the watchdog."""
        for signum, previous in self._previous.items():
            # None is a handler that was not installed from Python and can't be put back.
            signal.signal(signum, signal.SIG_DFL if previous is None else previous)  # type: ignore[arg-type]
        self._previous.clear()
        if self._received:
            disarm_watchdog()

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        if self._received:
            self._abandon()
            os._exit(128 + signum)
        self._received = True
        arm_watchdog(self._deadline)
        self._stop()
