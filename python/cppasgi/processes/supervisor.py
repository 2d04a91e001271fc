"""Keeps worker processes alive, replaces them without a lost request, and stops them.

It binds the addresses and imports no application. Signals: SIGTERM and SIGINT stop, SIGHUP replaces
the workers one by one, SIGUSR1 has log files opened again, SIGUSR2 has the workers write down what
they are doing, SIGTTIN and SIGTTOU add and take away a worker (docs/design/0007-processes.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from cppasgi.observing.board import LEAST_SLOTS, SLOTS_PER_WORKER, MetricsBoard
from cppasgi.observing.monitoring import SupervisorStatus
from cppasgi.processes.jobs import Jobs
from cppasgi.processes.live_settings import Configuration
from cppasgi.processes.workers import ANSWER_SECONDS, Workers
from cppasgi.serving.listeners import Listeners
from cppasgi.serving.run import KILL_SECONDS
from cppasgi.serving.signals import StopSignals
from cppasgi.serving.systemd import Notifier

if TYPE_CHECKING:
    from cppasgi.processes.reload import Watched

logger = logging.getLogger("cppasgi.supervisor")

_END_SECONDS = 0.5
"""After the last worker has been killed."""
_REPLACE_SECONDS = 5.0
"""What a stuck worker takes to end, at most, once it has been stuck for its time."""
_LOOK_SECONDS = 1.0
"""Between two looks at what the workers have reached."""


class Supervisor:
    """The parent of the workers; `run()` it once."""

    def __init__(
        self,
        command: Sequence[str],
        endpoints: Sequence[str],
        configuration: Configuration,
        *,
        reloads: Watched | None,
        metrics: str | None,
    ) -> None:
        """Prepares; nothing is opened or started.

        Args:
            command: what starts a worker process.
            endpoints: descriptions of where to listen.
            configuration: read again at SIGHUP. In it are the number of workers; seconds that a
                worker's requests get when it stops, that workers go on before they stop, and after
                which a stuck one ends itself; the limits after which a worker is replaced.
            reloads: files whose changes replace the workers, if there are any; then those that
                can't start wait for the next change.
            metrics: description of the endpoint that tells of all this, if there is one.

        Raises:
            EndpointError: a description is wrong or not supported.
            ImportError: a library that metrics need is missing.
        """
        self._configuration = configuration
        self._reloads = reloads
        self._configured_workers = configuration.live.workers
        slots = self._configured_workers * SLOTS_PER_WORKER
        self._board = MetricsBoard.create(max(slots, LEAST_SLOTS))
        self._monitor = None
        if metrics is not None:
            from cppasgi.processes.monitoring_server import monitoring_server

            self._monitor = monitoring_server(metrics, self._board, self.describe)
        self._begun = time.monotonic()
        self._listeners = Listeners(endpoints, shared=True)
        self._notifier = Notifier.of_service(os.environ)
        self._stopping = asyncio.Event()
        self._jobs = Jobs()
        self._monitoring = Jobs()
        self._workers = Workers(
            command,
            self._board,
            configuration.live,
            self._jobs,
            self._stopping,
            reloads=reloads is not None,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked_to_stop = False

    def run(self) -> int:
        """Serves until a signal comes; returns the exit status.

        0 is a clean stop. A worker that can't start at the beginning stops everything with its own
        status; 1 is also that of a stop for which a worker had to be killed.

        Raises:
            ListenError: an address can't be listened on.
        """
        self._signals = StopSignals(self._on_stop, self._abandon, self._stop_seconds())
        self._signals.install()
        try:
            return asyncio.run(self._run())
        finally:
            self._signals.restore()

    def _stop_seconds(self) -> float:
        live = self._configuration.live
        return live.drain_delay + live.graceful_timeout + KILL_SECONDS + _END_SECONDS

    async def _run(self) -> int:
        self._loop = asyncio.get_running_loop()
        if self._asked_to_stop:
            return 0
        self._replacement_wanted = asyncio.Event()
        first = self._listeners.open()
        try:
            self._handle_signals()
            await self._start_monitor()
            await self._workers.start(first, self._configuration.live.workers)
            if not self._stopping.is_set():
                self._workers.are_up = True
                self._listeners.announce()
                if self._notifier is not None:
                    self._notifier.ready()
                self._jobs.begin_permanent(self._replace_on_demand)
                self._jobs.begin_permanent(self._look_after_workers)
                if self._notifier is not None:
                    self._jobs.begin_permanent(partial(self._notify, self._notifier))
                if self._reloads is not None:
                    from cppasgi.processes.reload import watch_files  # which few starts need

                    watch = partial(watch_files, self.replace_workers, self._reloads)
                    self._jobs.begin_permanent(watch)
                await self._stopping.wait()
            if self._notifier is not None:
                self._notifier.stopping()
            self._jobs.cancel()
            await self._workers.stop()
        finally:
            self._listeners.remove_files()
        return self._workers.status or int(self._workers.left_early and not self._asked_to_stop)

    async def _start_monitor(self) -> None:
        """From now on the endpoint of the metrics answers, to the very end."""
        if self._monitor is None:
            return
        serving = asyncio.ensure_future(self._monitor.serve())
        try:
            await self._monitor.started()
        except RuntimeError:
            await serving  # raises the reason
        self._monitoring.adopt(serving)
        logger.info("Metrics at %s", ", ".join(self._monitor.endpoints))

    def describe(self) -> SupervisorStatus:
        """What is published of the supervisor and its workers."""
        return SupervisorStatus(
            workers=self._workers.describe(),
            restarts=self._workers.restarts,
            started=self._begun,
            unready=self._why_unready(),
            missing=self._workers.missing() if self._workers.are_up else [],
            wanted=self._wanted_workers(),
        )

    def _wanted_workers(self) -> int:
        """How many there are to be; before there are places for them, what is configured."""
        return len(self._workers.slots) or self._configuration.live.workers

    def _why_unready(self) -> str:
        if self._stopping.is_set():
            return "stopping"
        if not self._workers.are_up:
            ready = self._workers.ready_count()
            return f"starting, {ready} of {self._wanted_workers()} workers are ready"
        if self._workers.some_answers():
            return ""
        if self._workers.ready_count():
            return "no event loop answers"
        return "no worker is ready"

    # --- signals ---

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def on(signum: signal.Signals, function: Callable[[], object]) -> None:
            loop.add_signal_handler(signum, function)

        on(signal.SIGCHLD, self._on_ended_child)
        on(signal.SIGHUP, self.replace_workers)
        on(signal.SIGUSR1, self._reopen_logs)
        on(signal.SIGUSR2, lambda: self._jobs.begin(self._workers.write_stacks()))
        on(signal.SIGTTIN, self._add_worker)
        on(signal.SIGTTOU, self._take_worker_away)

    def _add_worker(self) -> None:
        if self._has_places():
            self._jobs.begin(self._workers.add())

    def _take_worker_away(self) -> None:
        if self._has_places():
            self._workers.take_away()

    def _has_places(self) -> bool:
        """Whether there are places for workers, whose number can be changed."""
        return bool(self._workers.slots) and not self._stopping.is_set()

    def _on_stop(self, _restarts: bool) -> None:
        self._asked_to_stop = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)

    def _abandon(self) -> None:
        self._workers.kill()
        self._listeners.remove_files()

    def _on_ended_child(self) -> None:
        self._workers.check()
        if os.getpid() == 1:
            self._reap_orphans()

    def _reap_orphans(self) -> None:
        """Waits for those who aren't ours.

        In a container its first process is given the children of all that have ended; nobody else
        waits for them, so that they would take up places in the kernel's table.
        """
        workers = {worker.pid for worker in self._workers.processes}
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in workers:  # it has ended just now: another signal is on its way
                    break
                os.waitpid(ended.si_pid, os.WNOHANG)

    def _reopen_logs(self) -> None:
        self._configuration.set_up_logging()
        self._workers.pass_on(signal.SIGUSR1)

    # --- jobs ---

    def replace_workers(self) -> None:
        """Has every worker replaced, one after another; once more if that is under way."""
        self._replacement_wanted.set()

    async def _replace_on_demand(self) -> None:
        while True:
            await self._replacement_wanted.wait()
            self._replacement_wanted.clear()
            if not self._read_configuration():
                continue
            logger.info("Replacing the workers")
            if self._notifier is not None:
                self._notifier.reloading()
            try:
                if await self._workers.replace_all():
                    await self._apply_number()
            finally:
                if self._notifier is not None:
                    self._notifier.ready()

    async def _apply_number(self) -> None:
        """Makes as many places as are configured; those of SIGTTIN and SIGTTOU stay otherwise."""
        if self._configured_workers != (wanted := self._configuration.live.workers):
            self._configured_workers = wanted
            await self._workers.make_as_many(wanted)

    def _read_configuration(self) -> bool:
        if not self._configuration.read_again():
            return False
        self._signals.set_seconds(self._stop_seconds())
        self._workers.settings = self._configuration.live
        return True

    async def _look_after_workers(self) -> None:
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._workers.reached.wait(), _LOOK_SECONDS)
            self._workers.reached.clear()
            await self._workers.recycle()

    async def _notify(self, notifier: Notifier) -> None:
        """Tells systemd that all is well as long as every worker's event loop answers.

        It would end the others too, so it isn't told of a stuck worker that will be replaced.
        """
        limit = max(notifier.watchdog_seconds or 0, ANSWER_SECONDS)
        while True:
            if not math.isinf(worker_timeout := self._configuration.live.worker_timeout):
                limit = max(limit, worker_timeout + _REPLACE_SECONDS)
            workers = [each for each in self._workers.processes if each.state == "ready"]
            if all(self._workers.answers(worker, limit) for worker in workers):
                notifier.alive()
            connections = self._board.connections()
            notifier.status(f"{len(workers)} workers, {connections} connections")
            await asyncio.sleep(min((notifier.watchdog_seconds or 2) / 2, _LOOK_SECONDS))
