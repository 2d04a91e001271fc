"""What the supervisor does beside everything else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

logger = logging.getLogger("cppasgi.supervisor")

_PAUSE_SECONDS = 1.0
"""After a failure, before the job goes on."""


class Jobs:
    """Tasks whose failures the log tells."""

    def __init__(self) -> None:
        self._jobs: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begins one."""
        job = asyncio.ensure_future(work)
        self.adopt(job)
        return job

    def adopt(self, job: asyncio.Task[Any]) -> None:
        """Looks after one that has begun."""
        self._jobs.add(job)
        job.add_done_callback(self._on_done)

    def begin_permanent(self, work: Callable[[], Awaitable[object]]) -> None:
        """Begins one that has no end: after a failure ``work`` is called again."""
        self.begin(_again_and_again(work))

    async def finish(self) -> None:
        """Waits until there is none."""
        while self._jobs:
            await asyncio.wait(self._jobs)

    def cancel(self) -> None:
        """Cancels all."""
        for job in self._jobs:
            job.cancel()

    def _on_done(self, job: asyncio.Task[Any]) -> None:
        self._jobs.discard(job)
        if not job.cancelled() and (error := job.exception()) is not None:
            _log_failure(error)


async def _again_and_again(work: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await work()
        except Exception as error:
            _log_failure(error)
        await asyncio.sleep(_PAUSE_SECONDS)


def _log_failure(error: BaseException) -> None:
    logger.error("The supervisor failed at something: %s", error, exc_info=error)
