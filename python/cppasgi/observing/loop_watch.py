"""Tells when the event loop is stuck, and in what.

A thread asks the loop for a sign of life every now and then. A loop that doesn't answer is blocked
by code that should have awaited; the thread can still look at what the loop's thread is doing. It
must not run a line of the application there, which isn't made for another thread, and must not end
before the server: others take its silence for a loop that is stuck.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import math
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType, GetSetDescriptorType
from typing import Any, cast

from cppasgi.log_text import escaped

logger = logging.getLogger("cppasgi.loop")


_QUESTIONS = 10
"""How many there are while the loop may be blocked without a word."""
_LEAST_PAUSE = 0.01
"""Seconds between two of them, where more would be a burden."""


class LoopWatch:
    """Watches the loop of the thread that makes this object, until `stop()`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        slow_callback: float,
        period: float,
        on_answer: Callable[[float, float], object],
    ) -> None:
        """Starts the thread.

        Args:
            loop: the running loop.
            slow_callback: seconds without an answer after which the stack is logged, once for each
                time that the loop is blocked; 0 logs nothing.
            period: seconds between two calls of ``on_answer``, at most.
            on_answer: called in the loop with an answer: seconds that the loop took to give it,
                and that the thread waited for the interpreter (the GIL).
        """
        # The loop may be blocked from any moment between two questions on. Short pauses tell well
        # enough from which: `slow_callback` is over when a question has waited for the rest of it.
        pause = min(max(slow_callback / _QUESTIONS, _LEAST_PAUSE), slow_callback / 2) or period
        self._questions = math.ceil(period / pause)
        self._pause = period / self._questions
        self._unnoted = 0
        self._loop = loop
        self._slow = slow_callback
        self._on_answer = on_answer
        self._thread_id = threading.get_ident()
        self._answered = threading.Event()
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="cppasgi loop watch", daemon=True).start()

    def stop(self) -> None:
        """Has the thread end; doesn't wait for it."""
        self._stopped.set()
        self._answered.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._pause) and not self._loop.is_closed():
            try:
                self._ask()
            except BaseException:  # even a SystemExit, out of somebody's log handler
                if self._stopped.is_set() or self._loop.is_closed():
                    return  # it was closed while it was asked
                with contextlib.suppress(BaseException):
                    logger.exception("The watch over the event loop failed; it goes on")

    def _ask(self) -> None:
        self._answered.clear()
        if self._stopped.is_set():  # then nobody may answer any more
            return
        gil_wait = _seconds_for_gil()
        asked = time.monotonic()
        self._loop.call_soon_threadsafe(self._answer, asked, gil_wait)
        rest = self._slow - self._pause
        if self._slow and not self._answered.wait(rest) and not self._stopped.is_set():
            self._report(time.monotonic() - asked + self._pause)
        self._answered.wait()

    def _answer(self, asked: float, gil_wait: float) -> None:
        self._answered.set()
        lag = time.monotonic() - asked
        self._unnoted += 1
        if self._unnoted >= self._questions or lag >= self._pause:
            self._unnoted = 0
            self._on_answer(lag, gil_wait)

    def _report(self, seconds: float) -> None:
        frame = sys._current_frames().get(self._thread_id)
        logger.warning(
            "The event loop is blocked for %.1f s so far by %s:\n%s",
            seconds,
            served(frame),
            _stack(frame),
        )


def served(frame: FrameType | None) -> str:
    """Says what a stack serves: the scope and the consumer that are found in its frames.

    Whatever the variables there are, no code of theirs runs: no property, no method of a subclass.
    """
    while frame is not None:
        if frame.f_code.co_flags & inspect.CO_OPTIMIZED:  # elsewhere locals may be any mapping
            owner = frame.f_locals.get("self")
            if what := _request(frame.f_locals.get("scope")):
                return what
            if what := _request(_attribute(owner, "scope")):
                return f"{what} ({_of_class('__qualname__', type(owner))})"
        frame = frame.f_back
    return "code outside of any request"


def _request(scope: object) -> str | None:
    if not issubclass(type(scope), dict):
        return None
    entries = list(dict.items(cast("dict[object, object]", scope)))
    values = {key: value for key, value in entries if type(key) is str and type(value) is str}
    if "path" not in values:
        return None
    return escaped(f"{values.get('method', values.get('type'))} {values['path']}")


def _attribute(owner: object, name: str) -> object:
    """As ``getattr``, but finds only what lies in the dictionaries of an object and its classes.

    `inspect.getattr_static` asks metaclasses.
    """
    namespaces = [_of_class("__dict__", each) for each in _of_class("__mro__", type(owner))]
    for namespace in namespaces:
        if type(slot := namespace.get("__dict__")) is GetSetDescriptorType:
            own = slot.__get__(owner)  # maybe of a subclass of dict
            if dict.__contains__(own, name):
                return dict.__getitem__(own, name)
            break
    return next((each[name] for each in namespaces if name in each), None)


def _of_class(name: str, owner: type) -> Any:
    return type.__dict__[name].__get__(owner)


def _stack(frame: FrameType | None) -> str:
    """As `traceback.format_stack`, which asks the loaders of modules for their source."""
    summaries = [
        traceback.FrameSummary(
            each.f_code.co_filename, line, each.f_code.co_name, lookup_line=False
        )
        for each, line in traceback.walk_stack(frame)
    ]
    return "".join(traceback.StackSummary.from_list(summaries[::-1]).format()).rstrip()


def _seconds_for_gil() -> float:
    """Gives the interpreter up and measures the time until it is ours again."""
    begun = time.perf_counter()
    time.sleep(0)
    return time.perf_counter() - begun
