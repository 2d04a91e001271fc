"""Signals of a serving process, and the deadline that makes every stop end.

The deadline is native (`cppasgi._native.guard_stop`): neither a blocked event loop nor code that
holds the interpreter keeps the process alive beyond it. So is the judgement whether a signal is the
same request once more, which depends on the time when it came.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType

from cppasgi import _native

logger = logging.getLogger("cppasgi.server")

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
STACKS_SIGNAL = signal.SIGUSR2


class StopSignals:
    """Handles SIGINT and SIGTERM, and SIGHUP in a worker, while a server runs in the main thread.

    The first signal calls ``stop`` and starts the countdown. A later SIGINT, or a SIGTERM a second
    or more after the first, ends the process at once with status 128 + its number; a SIGTERM before
    is the same request once more. Plain ``signal.signal`` handlers, because they also run while
    Python code blocks the event loop.

    Same as Daphne's: a SIGINT that is ignored at the start (``nohup``, a shell's background job)
    stays ignored.
    """

    def __init__(
        self,
        stop: Callable[[bool], None],
        abandon: Callable[[], None],
        seconds: float,
        *,
        is_worker: bool = False,
    ) -> None:
        """Prepares the handlers without installing them.

        Args:
            stop: asks the server to stop, or to make room for its successor (True); called from a
                signal handler.
            abandon: last clean-up before the process ends at once; must not block.
            seconds: from the first signal to the end of the process, come what may.
            is_worker: whether SIGHUP, too, is a signal to stop: there is a successor.
        """
        self._stop = stop
        self._abandon = abandon
        self._seconds = seconds
        self._signals = (*STOP_SIGNALS, signal.SIGHUP) if is_worker else STOP_SIGNALS
        self._previous: dict[signal.Signals, object] = {}
        self._received = False

    def install(self) -> None:
        """Takes the signals over; does nothing in another thread than the main one."""
        if threading.current_thread() is not threading.main_thread():
            return
        for signum in self._signals:
            previous = signal.getsignal(signum)
            if previous is signal.SIG_IGN:
                if signum == signal.SIGINT:
                    continue
                previous = signal.SIG_DFL  # or what an earlier `restore` has made of it
            self._previous[signum] = previous
            signal.signal(signum, self._on_signal)
        _native.guard_stop(list(self._previous), self._seconds, STACKS_SIGNAL)

    def set_seconds(self, seconds: float) -> None:
        """Changes the time from the first signal to the end, for signals that are yet to come."""
        self._seconds = seconds
        if self._previous and not self._received:
            _native.guard_stop(list(self._previous), seconds, STACKS_SIGNAL)

    def restore(self) -> None:
        """Puts back the former handlers; a deadline stays."""
        for signum, previous in self._previous.items():
            if signum == signal.SIGTERM and previous in (None, signal.SIG_DFL):
                signal.signal(signum, signal.SIG_IGN)  # leaves no moment in which a repeat ends us
                _native.pass_over_repeats()
            else:
                _put_back(signum, previous)
        self._previous.clear()

    def disown(self) -> None:
        """Puts back the former handlers in a forked child, which ends by the signals it is sent."""
        for signum, previous in self._previous.items():
            if signal.getsignal(signum) == self._on_signal:
                _put_back(signum, previous)
        self._previous.clear()

    def disarm(self) -> None:
        """Takes the deadline back, if a signal has set one."""
        if self._received:
            _native.keep_process()

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        if _native.stop_insisted():
            self._abandon()
            os._exit(128 + signum)
        self._received = True
        self._stop(signum == signal.SIGHUP)


@contextlib.contextmanager
def handled(signum: signal.Signals, function: Callable[[], object]) -> Iterator[None]:
    """Calls ``function`` at a signal while the body runs. Elsewhere than in the main thread never.

    Afterwards the signal does nothing: the process is about to end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signum, lambda _signum, _frame: function())
    try:
        yield
    finally:
        signal.signal(signum, signal.SIG_IGN)


def survive_early_signals(*, is_worker: bool) -> None:
    """Has a process that starts survive signals that it has no use for yet. Main thread only.

    Their defaults are its end, or its stop. A worker that starts still ends by SIGHUP, with which
    its supervisor has it make room. What the application starts doesn't ignore any of them.
    """
    early = [signal.SIGUSR1, signal.SIGUSR2]
    if not is_worker:
        early += [signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU]
    for signum in early:
        if signal.getsignal(signum) is signal.SIG_DFL:
            signal.signal(signum, lambda _signum, _frame: None)


def pass_over_supervisors_signals() -> None:
    """Has a process without workers survive the signals that are about them. Main thread only.

    Their defaults are its end, and its stop. A SIGHUP that is ignored at the start (``nohup``)
    stays ignored.
    """
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(
            signal.SIGHUP,
            lambda _signum, _frame: logger.warning("SIGHUP reloads nothing without --workers"),
        )
    # Not handled: the kernel would repeat them for as long as a background job's terminal is used.
    for signum in (signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(signum, signal.SIG_IGN)


def write_stacks_on_signal(report: Callable[[], object], *, as_json: bool) -> None:
    """Has SIGUSR2 write the stack of every thread to standard error, then call ``report``.

    In one piece, so that those of several processes don't mix; as a JSON object if ``as_json``.

    The stacks come even while Python is stuck in C code, ``report`` once it runs again. The
    deadline of a stop uses it too, so this stays until the process ends. Main thread only.
    """
    signal.signal(STACKS_SIGNAL, lambda _signum, _frame: report())
    if as_json:
        _native.write_last_words_as_json()
    stacks = _native.collect_stacks(STACKS_SIGNAL)
    faulthandler.register(STACKS_SIGNAL, file=stacks, all_threads=True, chain=True)
    # A forked child has no thread that would write them, and those are its parent's descriptors.
    in_child = partial(faulthandler.register, STACKS_SIGNAL, file=2, all_threads=True, chain=False)
    os.register_at_fork(after_in_child=in_child)


def _put_back(signum: signal.Signals, previous: object) -> None:
    # None is a handler that was not installed from Python and can't be put back.
    signal.signal(signum, signal.SIG_DFL if previous is None else previous)  # type: ignore[arg-type]
