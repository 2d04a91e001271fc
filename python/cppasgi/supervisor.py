"""Keeps worker processes alive, replaces them without a lost request, and stops them.

It binds the addresses and imports no application. Signals: SIGTERM and SIGINT stop, SIGHUP replaces
the workers one by one, SIGUSR1 has log files opened again, SIGUSR2 has the workers write down what
they are doing, SIGTTIN and SIGTTOU add and take away a worker (docs/design/0007-processes.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from cppasgi.board import MetricsBoard
from cppasgi.listeners import Listeners
from cppasgi.monitoring import SupervisorStatus
from cppasgi.monitoring_server import monitoring_server
from cppasgi.recycling import WorkerLimits
from cppasgi.reload import watch_files
from cppasgi.signals import StopSignals
from cppasgi.stop_times import KILL_SECONDS
from cppasgi.systemd import Notifier
from cppasgi.worker_process import Slot, WorkerProcess, how_it_ended

logger = logging.getLogger("cppasgi.supervisor")

_END_SECONDS = 0.5
"""After the last worker has been killed."""
_LONG_LIFE_SECONDS = 10.0
"""A worker that ends after less counts as one that can't live: restarts then come more slowly."""
_ANSWER_SECONDS = 3.0
"""An event loop that gave no sign of life for so long is stuck; it is asked every second."""
_MOST_BACK_OFF_SECONDS = 30.0
_LOOK_SECONDS = 1.0
"""Between two looks at what the workers have reached."""


class Supervisor:
    """The parent of the workers; `run()` it once."""

    def __init__(
        self,
        command: Sequence[str],
        endpoints: Sequence[str],
        *,
        workers: int,
        graceful_timeout: float,
        drain_delay: float,
        limits: WorkerLimits,
        reloads: bool,
        set_up_logging: Callable[[], object],
        metrics: str | None,
    ) -> None:
        """Prepares; nothing is opened or started.

        Args:
            command: what starts a worker process.
            endpoints: descriptions of where to listen.
            workers: how many there are to be.
            graceful_timeout: seconds that a worker's requests get when it stops.
            drain_delay: seconds that workers go on before they stop.
            limits: after which a worker is replaced.
            reloads: whether changed files replace the workers; then those that can't start wait
                for the next change.
            set_up_logging: called when log files are to be opened again; a ValueError says why
                that can't be.
            metrics: description of the endpoint that tells of all this, if there is one.

        Raises:
            EndpointError: a description is wrong or not supported.
            ImportError: a library that metrics need is missing.
        """
        self._command = command
        self._wanted = workers
        self._graceful_timeout = graceful_timeout
        self._drain_delay = drain_delay
        self._limits = limits
        self._reloads = reloads
        self._set_up_logging_again = set_up_logging
        self._board = MetricsBoard.create()
        self._monitor = (
            None if metrics is None else monitoring_server(metrics, self._board, self.describe)
        )
        self._restarts = dict.fromkeys(("died", "replaced", "recycled"), 0)
        self._begun = time.monotonic()
        self._listeners = Listeners(endpoints, shared=True)
        self._notifier = Notifier.of_service(os.environ)
        self._slots: list[Slot] = []
        self._processes: set[WorkerProcess] = set()
        self._watches: set[asyncio.Task[Any]] = set()
        self._jobs: set[asyncio.Task[Any]] = set()
        self._status = 0
        self._is_up = False
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked_to_stop = False
        self._left_early = False

    def run(self) -> int:
        """Serves until a signal comes; returns the exit status.

        0 is a clean stop. A worker that can't start at the beginning stops everything with its own
        status; 1 is also that of a stop for which a worker had to be killed.

        Raises:
            ListenError: an address can't be listened on.
        """
        limit = self._drain_delay + self._graceful_timeout + KILL_SECONDS + _END_SECONDS
        signals = StopSignals(self._on_stop, self._abandon, limit)
        signals.install()
        try:
            return asyncio.run(self._run())
        finally:
            signals.restore()

    async def _run(self) -> int:
        self._loop = asyncio.get_running_loop()
        if self._asked_to_stop:
            return 0
        self._replacement_wanted = asyncio.Event()
        first = self._listeners.open()
        try:
            self._handle_signals()
            await self._start_monitor()
            self._slots = [Slot(1, first)]
            self._slots += [self._another_slot(number) for number in range(2, self._wanted + 1)]
            await self._start_all()
            if not self._stopping.is_set():
                self._is_up = True
                self._listeners.announce()
                if self._notifier is not None:
                    self._notifier.ready()
                self._begin_job(self._replace_on_demand())
                self._begin_job(self._look_after_workers())
                if self._notifier is not None:
                    self._begin_job(self._notify(self._notifier))
                if self._reloads:
                    self._begin_job(watch_files(self.replace_workers))
                await self._stopping.wait()
            await self._stop_all()
        finally:
            self._listeners.remove_files()
        return self._status or int(self._left_early and not self._asked_to_stop)

    async def _start_monitor(self) -> None:
        """From now on the endpoint of the metrics answers, to the very end."""
        if self._monitor is None:
            return
        serving = asyncio.ensure_future(self._monitor.serve())
        try:
            await self._monitor.started()
        except RuntimeError:
            await serving  # raises the reason
        logger.info("Metrics at %s", ", ".join(self._monitor.endpoints))

    def describe(self) -> SupervisorStatus:
        """What is published of the supervisor and its workers."""
        return SupervisorStatus(
            workers=[worker.describe() for worker in self._processes],
            restarts=self._restarts,
            started=self._begun,
            ready=self._is_up and not self._stopping.is_set() and self._some_worker_answers(),
        )

    def _some_worker_answers(self) -> bool:
        return any(worker.state == "ready" and self._answers(worker) for worker in self._processes)

    def _answers(self, worker: WorkerProcess, within: float = _ANSWER_SECONDS) -> bool:
        """Whether a worker's event loop has given a sign of life lately."""
        age = self._board.heartbeat_age(worker.slot)
        return (worker.age if age is None else age) < within

    # --- signals ---

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def on(signum: signal.Signals, function: Callable[[], object]) -> None:
            loop.add_signal_handler(signum, function)

        on(signal.SIGCHLD, self._check_workers)
        on(signal.SIGHUP, self.replace_workers)
        on(signal.SIGUSR1, self._reopen_logs)
        on(signal.SIGUSR2, lambda: self._pass_on(signal.SIGUSR2))
        on(signal.SIGTTIN, lambda: self._begin_job(self._add_worker()))
        on(signal.SIGTTOU, self._take_worker_away)

    def _on_stop(self, _restarts: bool) -> None:
        self._asked_to_stop = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)

    def _abandon(self) -> None:
        for worker in self._processes:
            worker.signal(signal.SIGKILL)
        self._listeners.remove_files()

    def _check_workers(self) -> None:
        for worker in list(self._processes):
            worker.check()

    def _reopen_logs(self) -> None:
        self._set_up_logging()
        self._pass_on(signal.SIGUSR1)

    def _set_up_logging(self) -> None:
        try:
            self._set_up_logging_again()
        except ValueError as error:
            logger.error("Logging stays as it is: %s", error)

    def _pass_on(self, signum: signal.Signals) -> None:
        for worker in self._processes:
            if worker.state != "starting":
                worker.signal(signum)

    # --- starting ---

    def _another_slot(self, number: int) -> Slot:
        return Slot(number, [listener.another() for listener in self._slots[0].listeners])

    async def _start_all(self) -> None:
        """Starts a worker in every place; one that can't start ends everything."""
        stopping = self._begin_job(self._stopping.wait())
        left: set[asyncio.Task[Any]] = {self._begin_job(self._start(slot)) for slot in self._slots}
        while left and not stopping.done():
            done, left = await asyncio.wait({*left, stopping}, return_when=asyncio.FIRST_COMPLETED)
            left.discard(stopping)
            if not all(task.result() for task in done) and not self._reloads:
                self._stopping.set()
                return

    async def _start(self, slot: Slot) -> bool:
        """Starts a process in a place, as its worker if it gets ready; False if it doesn't."""
        place = self._board.allocate()
        try:
            worker = WorkerProcess.start(
                slot.number, self._command, slot.listeners, self._limits.for_one(), place
            )
        except OSError as error:
            self._board.retire(place)
            logger.error("Worker %d can't be started: %s", slot.number, error)
            self._status = self._status or 1
            return False
        self._processes.add(worker)
        watch = asyncio.ensure_future(self._watch(slot, worker))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        if not await worker.is_started():
            return False
        if slot not in self._slots:  # it was taken away meanwhile
            self._drain(worker, signal.SIGHUP)
            return False
        slot.worker = worker
        logger.info("Worker %d is ready, process %d", worker.number, worker.pid)
        return True

    async def _watch(self, slot: Slot, worker: WorkerProcess) -> None:
        status = await worker.ended()
        self._processes.discard(worker)
        self._board.retire(worker.slot)
        if worker.ended_well(status):
            logger.info("Worker %d (process %d) has stopped", worker.number, worker.pid)
            return
        how = how_it_ended(status)
        logger.error("Worker %d (process %d) %s", worker.number, worker.pid, how)
        if self._reloads or (self._is_up and not self._stopping.is_set()):
            pass
        elif status in (0, -signal.SIGTERM):  # asked by somebody who may be about to ask us too
            self._left_early = True
        else:
            self._status = self._status or max(status, 1)
        if worker is slot.worker and worker.state != "draining":
            await self._restart(slot, worker)

    async def _restart(self, slot: Slot, dead: WorkerProcess) -> None:
        """Puts a new process in the place of one that died, again and again until one lives."""
        async with slot.changing:
            slot.failures = slot.failures + 1 if dead.age < _LONG_LIFE_SECONDS else 0
            while slot.worker is dead and slot in self._slots and not self._stopping.is_set():
                if slot.failures > 1:
                    delay = min(2.0 ** (slot.failures - 2), _MOST_BACK_OFF_SECONDS)
                    logger.warning("Worker %d is started again in %.0f s", slot.number, delay)
                    with contextlib.suppress(asyncio.TimeoutError):
                        await asyncio.wait_for(self._stopping.wait(), delay)
                        return
                if await self._start(slot):
                    self._restarts["died"] += 1
                else:
                    slot.failures += 1

    # --- replacing ---

    def replace_workers(self) -> None:
        """Has every worker replaced, one after another; once more if that is under way."""
        self._replacement_wanted.set()

    async def _replace_on_demand(self) -> None:
        while True:
            await self._replacement_wanted.wait()
            self._replacement_wanted.clear()
            logger.info("Replacing the workers")
            self._set_up_logging()
            if self._notifier is not None:
                self._notifier.reloading()
            for slot in list(self._slots):
                if not await self._replace(slot, "replaced"):
                    logger.error("The other workers stay as they are")
                    break
            if self._notifier is not None:
                self._notifier.ready()

    async def _replace(self, slot: Slot, reason: str) -> bool:
        """Starts a successor, then has the worker drain; False if the successor can't start."""
        async with slot.changing:
            former = slot.worker
            if not await self._start(slot):
                logger.error("Worker %d stays, as its successor can't start", slot.number)
                return False
            self._restarts[reason] += 1
            if former is not None:
                self._drain(former, signal.SIGHUP)
            return True

    async def _look_after_workers(self) -> None:
        """Replaces workers that have reached a limit, one at a time."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for slot in list(self._slots):
                worker = slot.worker
                if worker is None or worker.state != "ready":
                    continue
                reason = worker.limits.reached(
                    requests=self._board.requests(worker.slot),
                    seconds=worker.age,
                    pid=worker.pid,
                )
                if reason is not None:
                    logger.info("Replacing worker %d after %s", slot.number, reason)
                    await self._replace(slot, "recycled")

    async def _notify(self, notifier: Notifier) -> None:
        """Tells systemd that all is well as long as every worker's event loop answers."""
        limit = max(notifier.watchdog_seconds or 0, _ANSWER_SECONDS)
        while True:
            workers = [worker for worker in self._processes if worker.state == "ready"]
            if all(self._answers(worker, limit) for worker in workers):
                notifier.alive()
            connections = self._board.connections()
            notifier.status(f"{len(workers)} workers, {connections} connections")
            await asyncio.sleep(min((notifier.watchdog_seconds or 2) / 2, _LOOK_SECONDS))

    def _drain(self, worker: WorkerProcess, signum: signal.Signals) -> None:
        delay = 0.0 if signum == signal.SIGHUP else self._drain_delay
        worker.drain(signum, delay + self._graceful_timeout + KILL_SECONDS)

    async def _add_worker(self) -> None:
        slot = self._another_slot(len(self._slots) + 1)
        self._slots.append(slot)
        logger.info("Adding worker %d", slot.number)
        async with slot.changing:
            if not await self._start(slot) and slot in self._slots:
                self._slots.remove(slot)
                slot.close()

    def _take_worker_away(self) -> None:
        if len(self._slots) == 1:
            logger.warning("The last worker stays")
            return
        slot = self._slots.pop()
        logger.info("Taking worker %d away", slot.number)
        slot.close()
        if slot.worker is not None:
            self._drain(slot.worker, signal.SIGHUP)

    # --- stopping ---

    async def _stop_all(self) -> None:
        if self._notifier is not None:
            self._notifier.stopping()
        for job in self._jobs:
            job.cancel()
        for worker in self._processes:
            self._drain(worker, signal.SIGTERM)
        for slot in self._slots:
            slot.close()
        while self._watches:
            await asyncio.wait(self._watches)

    def _begin_job(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begins what a stop cancels."""
        job = asyncio.ensure_future(work)
        self._jobs.add(job)
        job.add_done_callback(self._on_job_done)
        return job

    def _on_job_done(self, job: asyncio.Task[Any]) -> None:
        self._jobs.discard(job)
        if not job.cancelled() and (error := job.exception()) is not None:
            logger.error("The supervisor failed at something: %s", error, exc_info=error)
