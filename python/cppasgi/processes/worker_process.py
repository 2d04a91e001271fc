"""A worker process as its supervisor sees it, and the place that it fills."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import SIGKILL, Signals

from cppasgi import _native
from cppasgi.observing.board import BoardSlot
from cppasgi.observing.monitoring import WorkerState, WorkerStatus
from cppasgi.processes.recycling import WorkerLimits
from cppasgi.serving.listeners import Listener
from cppasgi.serving.worker import READY_UNCOUNTED, Worker

logger = logging.getLogger("cppasgi.supervisor")


class WorkerProcess:
    """One process, from its start to its end.

    Attributes:
        number: its place among the workers, from 1 on.
        pid: its process id.
        state: ``draining`` from the first request to end on.
        limits: after which it is to be replaced.
        slot: its block of the board.
        started: when, on ``time.monotonic()``'s clock.
        ready_since: the same of its first connections; before, of its start.
        counts: whether it writes into its block of the board.
    """

    def __init__(
        self,
        number: int,
        process: subprocess.Popen[bytes],
        ready_fd: int,
        limits: WorkerLimits,
        slot: BoardSlot,
        on_served: Callable[[], object],
    ) -> None:
        """Takes a process over that was just started; see `start`."""
        self.number = number
        self.pid = process.pid
        self.limits = limits
        self.slot = slot
        self.state: WorkerState = "starting"
        self.started = self.ready_since = time.monotonic()
        self.counts = True
        self._asked: Signals | None = None
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._ready_fd = ready_fd
        self._on_served = on_served
        self._started: asyncio.Future[bool] = self._loop.create_future()
        self._end: asyncio.Future[int] = self._loop.create_future()
        self._loop.add_reader(ready_fd, self._on_ready_fd)

    @classmethod
    def start(
        cls,
        number: int,
        command: Sequence[str],
        listeners: Sequence[Listener],
        limits: WorkerLimits,
        slot: BoardSlot,
        on_served: Callable[[], object],
        *,
        is_late: bool,
    ) -> WorkerProcess:
        """Starts a process that serves on bound sockets; it calls back after its requests.

        `Worker` says what ``is_late`` means.

        Raises:
            OSError: the process can't be started.
        """
        ready_fd, write_end = os.pipe()
        try:
            worker = Worker(
                number=number,
                supervisor=os.getpid(),
                sockets=tuple((each.socket.fileno(), each.backlog) for each in listeners),
                ready_fd=write_end,
                board=slot,
                requests=limits.requests,
                is_late=is_late,
                proxied=tuple(each.socket.fileno() for each in listeners if each.proxied),
            )
            process = subprocess.Popen(
                command,
                env={**os.environ, **worker.variable()},
                pass_fds=worker.descriptors(),
                # The terminal's Ctrl-C is for the supervisor, who passes it on.
                start_new_session=True,
            )
        except BaseException:
            os.close(ready_fd)
            raise
        finally:
            os.close(write_end)
        return cls(number, process, ready_fd, limits, slot, on_served)

    async def is_started(self) -> bool:
        """Waits until it accepts connections; False when it ended without getting that far."""
        return await asyncio.shield(self._started)

    def check(self) -> None:
        """Looks whether it has ended; to be called at SIGCHLD."""
        status = self._process.poll()
        if status is not None and not self._end.done():
            self._end.set_result(status)
            self._close_ready_fd()  # what it has forked may have the other end
            self._set_started(is_ready=False)

    async def ended(self) -> int:
        """Waits for its end; returns its exit status, negative for a signal's number."""
        return await asyncio.shield(self._end)

    def ended_well(self, status: int) -> bool:
        """Whether an exit status is that of a worker that did as it was asked.

        One that is still starting has no handler for the signal yet.
        """
        return self._asked is not None and status in (0, -self._asked)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._end.done()

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.started

    def describe(self, *, is_stuck: bool) -> WorkerStatus:
        """What is published of it."""
        state = "stuck" if is_stuck and self.state == "ready" else self.state
        return WorkerStatus(self.number, self.slot, self.pid, state, self.started)

    def signal(self, signum: Signals) -> None:
        """Sends a signal, unless it has ended."""
        self._process.send_signal(signum)

    def drain(self, signum: Signals, seconds: float) -> None:
        """Asks it to end by a signal, and ends it by force when it is still there ``seconds`` on.

        Does nothing to one that is draining already.
        """
        if self.state == "draining" or self.is_over:
            return
        self.state = "draining"
        self._asked = signum
        self.signal(signum)
        killing = self._loop.call_later(seconds, self.kill)
        self._end.add_done_callback(lambda _: killing.cancel())

    def kill(self) -> None:
        """Ends it by force."""
        if not self.is_over:
            logger.error("Worker %d (process %d) does not stop: killed", self.number, self.pid)
            self.signal(SIGKILL)

    def _on_ready_fd(self) -> None:
        said = os.read(self._ready_fd, 1)
        if not said:
            self._close_ready_fd()
            self._set_started(is_ready=False)
        elif self._started.done():
            self._on_served()
        else:
            self.counts = said != READY_UNCOUNTED
            self._set_started(is_ready=True)

    def _close_ready_fd(self) -> None:
        if self._ready_fd >= 0:
            self._loop.remove_reader(self._ready_fd)
            os.close(self._ready_fd)
            self._ready_fd = -1

    def _set_started(self, *, is_ready: bool) -> None:
        if self._started.done():
            return
        if is_ready and self.state == "starting":
            self.state = "ready"
            self.ready_since = time.monotonic()
        self._started.set_result(is_ready)


class Slot:
    """One place for a worker: its sockets, and the process that serves on them now.

    Attributes:
        number: from 1 on.
        listeners: bound sockets, which every process of this place inherits: what waits in their
            queues outlives it.
        worker: the process that counts; None when it could not be started.
        failures: how many in a row did not live long.
        changing: held by whoever replaces the process.
    """

    def __init__(self, number: int, listeners: Sequence[Listener]) -> None:
        self.number = number
        self.listeners = listeners
        self.worker: WorkerProcess | None = None
        self.failures = 0
        self.changing = asyncio.Lock()

    def stop_listening(self) -> None:
        """Has the kernel send its share of new connections to the other places.

        Those that wait are reset. Only while no process serves here: who does listens again.
        Sockets that places share go on listening.
        """
        for listener in self.listeners:
            # One that doesn't listen would hand its end on to connections that it accepts later.
            if listener.is_own and listener.listens():
                listener.socket.shutdown(socket.SHUT_RD)

    def listen(self) -> None:
        """Takes new connections again, for the process that serves here now.

        It has begun to listen itself, but perhaps before `stop_listening()`.
        """
        for listener in self.listeners:
            if not listener.listens():
                listener.socket.listen(listener.backlog or _native.ServerOptions().backlog)

    def close(self) -> None:
        """Gives up its sockets; processes that have them go on."""
        for listener in self.listeners:
            listener.socket.close()


def worker_command() -> list[str]:
    """The command that started this process, for starting workers."""
    if "cppasgi_native" in sys.builtin_module_names:  # cppasgi-embed
        return [str(Path("/proc/self/exe").readlink()), *sys.argv[1:]]
    return [sys.executable, *sys.orig_argv[1:]]


def how_it_ended(status: int) -> str:
    """Says an exit status in words."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was ended by {Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
