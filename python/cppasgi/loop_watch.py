"""Tells when the event loop is stuck, and in what.

A thread asks the loop for a sign of life every now and then. A loop that doesn't answer is blocked
by code that should have awaited; the thread can still look at what the loop's thread is doing.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType

logger = logging.getLogger("cppasgi.loop")


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
            period: seconds between two questions.
            on_answer: called in the loop with each answer: seconds that the loop took to answer,
                and that the thread waited for the interpreter (the GIL).
        """
        self._loop = loop
        self._slow = slow_callback
        self._period = period
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
        while not self._stopped.wait(self._period):
            self._answered.clear()
            gil_wait = _seconds_for_gil()
            asked = time.monotonic()
            try:
                self._loop.call_soon_threadsafe(self._answer, asked, gil_wait)
            except RuntimeError:
                return  # the loop is closed
            if self._slow and not self._answered.wait(self._slow) and not self._stopped.is_set():
                self._report(time.monotonic() - asked)
            self._answered.wait()

    def _answer(self, asked: float, gil_wait: float) -> None:
        self._answered.set()
        self._on_answer(time.monotonic() - asked, gil_wait)

    def _report(self, seconds: float) -> None:
        frame = sys._current_frames().get(self._thread_id)
        stack = "".join(traceback.format_stack(frame)).rstrip()
        logger.warning(
            "The event loop is blocked for %.1f s so far by %s:\n%s", seconds, served(frame), stack
        )


def served(frame: FrameType | None) -> str:
    """Says what a stack serves: the scope and the consumer that are found in its frames."""
    while frame is not None:
        variables = frame.f_locals
        owner = variables.get("self")
        for scope in (variables.get("scope"), getattr(owner, "scope", None)):
            if isinstance(scope, dict) and isinstance(scope.get("path"), str):
                what = f"{scope.get('method', scope.get('type'))} {scope['path']}"
                is_owner = scope is getattr(owner, "scope", None)
                return f"{what} ({type(owner).__qualname__})" if is_owner else what
        frame = frame.f_back
    return "code outside of any request"


def _seconds_for_gil() -> float:
    """Gives the interpreter up and measures the time until it is ours again."""
    begun = time.perf_counter()
    time.sleep(0)
    return time.perf_counter() - begun
