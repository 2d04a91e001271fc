"""The places for workers: a process in each, started, watched, replaced, and stopped.

The supervisor decides when; nothing here knows of its signals, of systemd or of who asks for
metrics.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Sequence
from typing import Any

from cppasgi.observing.board import MetricsBoard
from cppasgi.observing.monitoring import WorkerStatus
from cppasgi.processes.jobs import Jobs
from cppasgi.processes.live_settings import LiveSettings
from cppasgi.processes.recycling import resident_bytes
from cppasgi.processes.worker_process import Slot, WorkerProcess, how_it_ended
from cppasgi.serving.listeners import Listener
from cppasgi.serving.loop_guard import EXIT_STUCK
from cppasgi.serving.run import KILL_SECONDS

logger = logging.getLogger("cppasgi.supervisor")

_LONG_LIFE_SECONDS = 10.0
"""A worker that ends after less counts as one that can't live: restarts then come more slowly."""
_MOST_BACK_OFF_SECONDS = 30.0
_PATIENCE_SECONDS = 2.0
"""For so long new connections may wait for the next worker when there is no other."""
_STACKS_SECONDS = 0.2
"""What a worker gets to write its stacks before the next one does."""
ANSWER_SECONDS = 3.0
"""An event loop that gave no sign of life for so long is stuck; it is asked every second."""


class Workers:
    """All of them.

    Attributes:
        settings: of the supervisor, which may change them; what lives keeps its limits.
        slots: the places, at least one.
        processes: whatever process still lives, those that drain too.
        restarts: how many workers were started in another's place, or have ended so that another
            is needed, by the reason. Each that dies counts, though no successor lives yet.
        reached: set when one has answered as many requests as it may.
        are_up: set by the supervisor once all have started; from then on the end of one is no
            failure of the start.
        status: exit status that the end of workers asks for.
        left_early: whether one ended in order without being asked by us.
    """

    def __init__(
        self,
        command: Sequence[str],
        board: MetricsBoard,
        settings: LiveSettings,
        jobs: Jobs,
        stopping: asyncio.Event,
        *,
        reloads: bool,
    ) -> None:
        """Prepares; `Supervisor` says what the arguments mean."""
        self._command = command
        self._board = board
        self.settings = settings
        self._jobs = jobs
        self._stopping = stopping
        self._reloads = reloads
        self._watches = Jobs()
        self.slots: list[Slot] = []
        self.processes: set[WorkerProcess] = set()
        self.reached = asyncio.Event()
        self.restarts = dict.fromkeys(("died", "stuck", "replaced", "recycled"), 0)
        # What a worker took that hadn't lived long, with the application as it is.
        self._least_bytes = 0
        self._told_of_memory = False
        self.are_up = False
        self.status = 0
        self.left_early = False

    def check(self) -> None:
        """Looks which have ended; to be called at SIGCHLD."""
        for worker in list(self.processes):
            worker.check()

    def some_answers(self) -> bool:
        """Whether anybody is served."""
        return any(worker.state == "ready" and self.answers(worker) for worker in self.processes)

    def ready_count(self) -> int:
        """How many have started and aren't draining."""
        return sum(worker.state == "ready" for worker in self.processes)

    def missing(self) -> list[int]:
        """The numbers of the places where nobody serves."""
        served = {worker.number for worker in self.processes if worker.state == "ready"}
        return [slot.number for slot in self.slots if slot.number not in served]

    def describe(self) -> list[WorkerStatus]:
        """What is published of each process."""
        return [
            worker.describe(is_stuck=self._board.silence(worker.slot) >= ANSWER_SECONDS)
            for worker in self.processes
        ]

    def answers(self, worker: WorkerProcess, within: float = ANSWER_SECONDS) -> bool:
        """Whether a worker's event loop has given a sign of life lately."""
        if not worker.counts:  # its signs of life aren't where we look
            return True
        age = self._board.heartbeat_age(worker.slot)
        return (time.monotonic() - worker.ready_since if age is None else age) < within

    def pass_on(self, signum: signal.Signals) -> None:
        """Sends a signal to all that have a handler for it."""
        for worker in self.processes:
            if worker.state != "starting":
                worker.signal(signum)

    async def write_stacks(self) -> None:
        """Has each write down what it is doing, one after another."""
        for worker in sorted(self.processes, key=lambda each: each.number):
            if worker.state != "starting":
                worker.signal(signal.SIGUSR2)
                await asyncio.sleep(_STACKS_SECONDS)

    def kill(self) -> None:
        """Ends all by force; for a signal handler."""
        for worker in self.processes:
            worker.signal(signal.SIGKILL)

    # --- starting ---

    async def start(self, listeners: Sequence[Listener], count: int) -> None:
        """Starts ``count`` workers, the first on these sockets; returns when all are ready.

        One that can't start ends everything, unless files are watched.
        """
        self.slots = [Slot(1, listeners)]
        self.slots += [self._another_slot(number) for number in range(2, count + 1)]
        await self._start_all()

    def _another_slot(self, number: int) -> Slot:
        return Slot(number, [listener.another() for listener in self.slots[0].listeners])

    async def _start_all(self) -> None:
        """Starts a worker in every place; one that can't start ends everything."""
        stopping = self._jobs.begin(self._stopping.wait())
        starts = {self._jobs.begin(self._start(slot)): slot for slot in self.slots}
        left: set[asyncio.Task[Any]] = set(starts)
        while left and not stopping.done():
            done, left = await asyncio.wait({*left, stopping}, return_when=asyncio.FIRST_COMPLETED)
            left.discard(stopping)
            failed = {starts[task] for task in done if task in starts and not task.result()}
            if not failed.isdisjoint(self.slots) and not self._reloads:  # the rest: taken away
                self._stopping.set()
                return

    async def _start(self, slot: Slot) -> bool:
        """Starts a process in a place, as its worker if it gets ready; False if it doesn't."""
        place = None
        try:
            place = self._board.allocate()
            worker = WorkerProcess.start(
                slot.number,
                self._command,
                slot.listeners,
                self.settings.limits.for_one(),
                place,
                self.reached.set,
                is_late=self.are_up,
            )
        except Exception as error:
            if place is not None:
                self._board.retire(place)
            logger.error("Worker %d can't be started: %s", slot.number, error)
            if not self.are_up:
                self.status = self.status or 1
            return False
        self.processes.add(worker)
        self._watches.begin(self._watch(slot, worker))
        if not await worker.is_started():
            return False
        if slot not in self.slots:  # it was taken away meanwhile
            self._drain(worker, signal.SIGHUP)
            return False
        self._limit_memory(worker)
        slot.worker = worker
        slot.listen()
        logger.info("Worker %d is ready, process %d", worker.number, worker.pid)
        if not worker.counts:
            logger.warning(
                "Worker %d is of another version of cppasgi than its supervisor: what it does "
                "isn't counted until the service is restarted",
                worker.number,
            )
        return True

    async def _watch(self, slot: Slot, worker: WorkerProcess) -> None:
        status = await worker.ended()
        self.processes.discard(worker)
        self._board.retire(worker.slot)
        if worker.ended_well(status):
            logger.info("Worker %d (process %d) has stopped", worker.number, worker.pid)
            return
        how = how_it_ended(status)
        logger.error("Worker %d (process %d) %s", worker.number, worker.pid, how)
        if self.are_up and not self._stopping.is_set():
            if status == EXIT_STUCK:
                self.restarts["stuck"] += 1
            elif worker.state != "draining":
                self.restarts["died"] += 1
        if self._reloads or (self.are_up and not self._stopping.is_set()):
            pass
        elif status in (0, -signal.SIGTERM):  # asked by somebody who may be about to ask us too
            self.left_early = True
        else:
            self.status = self.status or max(status, 1)
        if worker is slot.worker and worker.state != "draining":
            if self._serves_elsewhere(slot):
                slot.stop_listening()
            await self._restart(slot, worker)

    async def _restart(self, slot: Slot, dead: WorkerProcess) -> None:
        """Puts a new process in the place of one that died, again and again until one lives."""
        async with slot.changing:
            slot.failures = slot.failures + 1 if dead.age < _LONG_LIFE_SECONDS else 0
            while slot.worker is dead and slot in self.slots and not self._stopping.is_set():
                if slot.failures > 1:
                    delay = min(2.0 ** (slot.failures - 2), _MOST_BACK_OFF_SECONDS)
                    if delay > _PATIENCE_SECONDS or self._serves_elsewhere(slot):
                        slot.stop_listening()
                    logger.warning("Worker %d is started again in %.0f s", slot.number, delay)
                    with contextlib.suppress(asyncio.TimeoutError):
                        await asyncio.wait_for(self._stopping.wait(), delay)
                    if self._stopping.is_set() or slot not in self.slots:
                        return
                if not await self._start(slot):
                    slot.failures += 1

    def _serves_elsewhere(self, slot: Slot) -> bool:
        """Whether new connections have another place to go."""
        others = (each.worker for each in self.slots if each is not slot)
        return any(
            worker is not None
            and worker.state == "ready"
            and not worker.is_over
            and self.answers(worker)
            for worker in others
        )

    # --- replacing ---

    async def replace_all(self) -> bool:
        """Replaces one after another; the rest stays when one can't be, and this is False."""
        self._least_bytes = 0
        self._told_of_memory = False
        for slot in list(self.slots):
            if not await self.replace(slot, "replaced"):
                logger.error("The other workers stay as they are")
                return False
        return True

    async def replace(self, slot: Slot, reason: str) -> bool:
        """Starts a successor, then has the worker drain; False if the successor can't start.

        A place that was given up needs none.
        """
        async with slot.changing:
            former = slot.worker
            if slot not in self.slots:
                return True
            if not await self._start(slot):
                if slot not in self.slots:
                    return True
                logger.error("Worker %d stays, as its successor can't start", slot.number)
                return False
            self.restarts[reason] += 1
            if former is not None:
                self._drain(former, signal.SIGHUP)
            return True

    async def recycle(self) -> None:
        """Replaces workers that have reached a limit, one at a time."""
        for slot in list(self.slots):
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
                if worker.age < _LONG_LIFE_SECONDS and not self._least_bytes:
                    self._least_bytes = resident_bytes(worker.pid)
                await self.replace(slot, "recycled")

    def _limit_memory(self, worker: WorkerProcess) -> None:
        """Lets a worker have what it can't do without, lest it be replaced for ever."""
        base = max(resident_bytes(worker.pid), self._least_bytes)
        limits = worker.limits.above(base)
        if limits != worker.limits and not self._told_of_memory:
            self._told_of_memory = True
            logger.warning(
                "A worker takes %d MiB as soon as it serves, so that --worker-max-rss can't be %d: "
                "workers are replaced when they take %d MiB",
                base >> 20,
                worker.limits.resident_bytes >> 20,
                limits.resident_bytes >> 20,
            )
        worker.limits = limits

    def _drain(self, worker: WorkerProcess, signum: signal.Signals) -> None:
        delay = 0.0 if signum == signal.SIGHUP else self.settings.drain_delay
        worker.drain(signum, delay + self.settings.graceful_timeout + KILL_SECONDS)

    async def add(self) -> None:
        """Makes one more place, and starts a worker in it."""
        slot = self._another_slot(len(self.slots) + 1)
        self.slots.append(slot)
        logger.info("Adding worker %d", slot.number)
        async with slot.changing:
            if not await self._start(slot) and slot in self.slots:
                self.slots.remove(slot)
                slot.close()

    async def make_as_many(self, count: int) -> None:
        """Adds places or gives them up until there are so many."""
        while len(self.slots) > count:
            self.take_away()
        for _ in range(len(self.slots), count):
            await self.add()

    def take_away(self) -> None:
        """Gives the last place up; its worker drains."""
        if len(self.slots) == 1:
            logger.warning("The last worker stays")
            return
        slot = self.slots.pop()
        logger.info("Taking worker %d away", slot.number)
        slot.close()
        if slot.worker is not None:
            self._drain(slot.worker, signal.SIGHUP)

    async def stop(self) -> None:
        """Has all of them end, and waits for that."""
        for worker in self.processes:
            self._drain(worker, signal.SIGTERM)
        for slot in self.slots:
            slot.close()
        await self._watches.finish()
