"""One run of a server inside its event loop: start the application, accept, drain, stop.

After the drain delay responses finish, within the graceful time-out. What follows it has bounds of
its own: calls of the application that still run hear that their client has left, then they are
cancelled; lifespan shutdown, which has all that the others have left; the end of the process. By
default that is 8 s, as container engines kill after 10.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cppasgi import _native
from cppasgi.log_handler import dropped_lines
from cppasgi.observing.log_repeats import REPEATS
from cppasgi.observing.loop_watch import LoopWatch
from cppasgi.settings.endpoints import ListenError

if TYPE_CHECKING:
    from cppasgi.serving.lifespan import Lifespan
    from cppasgi.serving.listeners import InheritedListeners, Listeners
    from cppasgi.serving.loop_guard import LoopGuard
    from cppasgi.serving.server import Server

logger = logging.getLogger("cppasgi.server")
logger.addFilter(REPEATS)

DEPARTURE_SECONDS = 0.5
"""What calls get to clean up when the graceful time-out is over."""
CANCEL_SECONDS = 0.2
"""What they get then to end, after they have been cancelled."""
LIFESPAN_SECONDS = 0.8
"""What lifespan shutdown gets when all the others have used up their time."""
EXIT_SECONDS = 0.5
"""What is left to tasks, threads and exit handlers then."""
END_SECONDS = DEPARTURE_SECONDS + CANCEL_SECONDS + LIFESPAN_SECONDS + EXIT_SECONDS
"""From the end of the graceful time-out until the process ends whatever it does."""
KILL_SECONDS = END_SECONDS + 0.4
"""The same until the supervisor kills a worker, which has ended itself by then if it could."""
_REAPER_SECONDS = 1.0
"""How often application calls are looked at that go on after their exchange; as Daphne."""
_WATCH_SECONDS = 1.0
"""Between two looks at the event loop, at most."""


class StopRequest:
    """A stop that somebody asks for, perhaps before there is anything to stop.

    Attributes:
        is_requested: whether it was asked for.
        restarts: whether there will be a server again at the same addresses.
        deadline: when the graceful time-out ends on ``time.monotonic()``'s clock.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.is_requested = False
        self.restarts = False
        self.deadline = float("inf")

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on the request reaches whoever waits in ``loop``."""
        self._loop = loop
        if self.is_requested:
            self._event.set()

    def make(self, *, restarts: bool) -> None:
        """Asks, from any thread or signal handler. The first request counts."""
        if not self.is_requested:
            self.is_requested = True
            self.restarts = restarts
            delay = 0 if restarts else self._server.drain_delay
            self.deadline = time.monotonic() + delay + self._server.graceful_timeout
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        """Waits until somebody asks."""
        await self._event.wait()

    def seconds_left(self) -> float:
        """Until the deadline; maybe negative."""
        return self.deadline - time.monotonic()


class Serving:
    """What `Server.serve()` does between its preparations and its clean-up."""

    def __init__(
        self,
        server: Server,
        native: _native.Server,
        listeners: Listeners | InheritedListeners,
        lifespan: Lifespan,
        stop: StopRequest,
        on_accepting: Callable[[], None],
    ) -> None:
        """Prepares.

        Args:
            server: whose settings count.
            native: not bound yet; closed by `run()`.
            listeners: not bound yet.
            lifespan: of the application.
            stop: ends `run()`.
            on_accepting: called once connections are accepted.
        """
        self._server = server
        self._native = native
        self._listeners = listeners
        self._lifespan = lifespan
        self._stop = stop
        self._on_accepting = on_accepting

    async def run(self, *, owns_process: bool) -> None:
        """Serves until the stop is requested, or this is cancelled, which doesn't wait for anybody.

        Args:
            owns_process: whether the process has no other purpose, so that its heap may be tuned,
                and an end is what becomes of it when its loop is stuck. In the main thread.

        Raises:
            ListenError: an address can't be listened on.
            LifespanError: the application failed at start-up or shutdown.
        """
        process = os.getpid()
        try:
            self._listeners.bind(self._native)
            if not await self._start_application():
                return
            if owns_process:
                # What exists now lives as long as the process: spare every later collection.
                gc.collect()
                gc.freeze()
            await self._accept(owns_process=owns_process)
        finally:
            if os.getpid() == process:  # else it is a forked child's garbage
                await self._end()

    async def _end(self) -> None:
        self._native.close()
        self._listeners.remove_files()
        left = self._server.graceful_timeout
        if self._stop.is_requested:
            left = self._stop.seconds_left()
        left += END_SECONDS - EXIT_SECONDS
        await self._lifespan.shutdown(max(left, LIFESPAN_SECONDS))
        REPEATS.report()

    async def _start_application(self) -> bool:
        """Runs lifespan start-up; returns False when the server was stopped meanwhile."""
        starting = asyncio.ensure_future(self._lifespan.startup())
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                return False
            starting.result()
        finally:
            starting.cancel()
            stopping.cancel()
        return True

    async def _accept(self, *, owns_process: bool) -> None:
        try:
            self._native.start(self._lifespan.state)
        except OSError as error:
            raise ListenError(f"Couldn't listen: {error}") from error
        timeout = self._server.application_close_timeout
        reaper = asyncio.ensure_future(self._cancel_overdue(timeout)) if timeout > 0 else None
        watch = self._watch_loop()
        guard = self._guard_loop() if owns_process else None
        try:
            self._listeners.announce()
            self._on_accepting()
            if self._server.notifier is not None:
                self._server.notifier.ready()
            await self._stop.wait()
            if guard is not None:
                guard.stop()  # a stop has bounds of its own
            if self._server.notifier is not None:
                self._server.notifier.stopping()
            delay = 0 if self._stop.restarts else self._server.drain_delay
            if delay:
                logger.info("Stopping in %g s", delay)
            await asyncio.sleep(delay)
            await self._drain(self._stop.seconds_left())
        except asyncio.CancelledError:
            await self._drain(0)
            raise
        finally:
            if reaper is not None:
                reaper.cancel()
            if watch is not None:
                watch.stop()
            if guard is not None:
                guard.stop()

    def _guard_loop(self) -> LoopGuard | None:
        limit = self._server.worker_timeout or math.inf
        if math.isinf(limit) and self._server.metrics is None:
            return None
        from cppasgi.serving.loop_guard import LoopGuard  # not in others' loops

        return LoopGuard(asyncio.get_running_loop(), limit, self._server.metrics)

    def _watch_loop(self) -> LoopWatch | None:
        slow = self._server.slow_callback
        if math.isinf(slow):
            slow = 0
        notifier = self._server.notifier
        if not slow and notifier is None and self._server.metrics is None:
            return None
        periods = [_WATCH_SECONDS, slow or _WATCH_SECONDS]
        if notifier is not None and notifier.watchdog_seconds is not None:
            periods.append(notifier.watchdog_seconds / 2)
        loop = asyncio.get_running_loop()
        return LoopWatch(loop, slow, min(periods), self._on_loop_answer)

    def _on_loop_answer(self, lag: float, gil_wait: float) -> None:
        self._native.note_heartbeat(lag, gil_wait, dropped_lines())
        notifier = self._server.notifier
        if notifier is not None:
            notifier.alive()
            calls = self._native.running_applications
            notifier.status(f"{self._native.connections} connections, {calls} application calls")

    async def _cancel_overdue(self, timeout: float) -> None:
        while True:
            await asyncio.sleep(min(timeout, _REAPER_SECONDS))
            for task in self._native.overdue_applications(timeout):
                logger.warning(
                    "Application instance %r took too long to shut down and was killed.", task
                )
                task.cancel()

    async def _drain(self, timeout: float) -> None:
        drained = asyncio.Event()
        window = min(self._server.ws_drain_window, max(timeout, 0) / 2)
        if math.isinf(window):
            window = 0  # the end of it would never come
        in_progress = self._native.drain(drained.set, self._stop.restarts, window)
        logger.info("Stopping%s", _to_wait_for(*in_progress, self._native.running_applications))
        if await _is_set_within(drained, timeout):
            return
        self._native.cut_short()
        if await _is_set_within(drained, DEPARTURE_SECONDS):
            return
        if killed := self._native.cancel_applications():
            logger.info("Killed %d pending application instances", killed)
        await _is_set_within(drained, CANCEL_SECONDS)


def _to_wait_for(responses: int, event_streams: int, websockets: int, calls: int) -> str:
    """Says what a stop waits for, for the log."""
    rest = calls - responses - event_streams - websockets
    numbers = [
        (responses, "response", "responses"),
        (event_streams, "event stream", "event streams"),
        (websockets, "WebSocket", "WebSockets"),
        (rest, "other call of the application", "other calls of the application"),
    ]
    texts = [f"{count} {one if count == 1 else more}" for count, one, more in numbers if count > 0]
    return ": " + ", ".join(texts) if texts else ""


async def _is_set_within(event: asyncio.Event, timeout: float) -> bool:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), max(timeout, 0))
    return event.is_set()
