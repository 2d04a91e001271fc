"""What the supervisor does beside everything else, until it stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

logger = logging.getLogger("cppasgi.supervisor")


class Jobs:
    """Tasks that a stop cancels, and whose failures the log tells."""

    def __init__(self) -> None:
        self._jobs: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begins one."""
        job = asyncio.ensure_future(work)
        self._jobs.add(job)
        job.add_done_callback(self._on_done)
        return job

    def cancel(self) -> None:
        """Cancels all."""
        for job in self._jobs:
            job.cancel()

    def _on_done(self, job: asyncio.Task[Any]) -> None:
        self._jobs.discard(job)
        if not job.cancelled() and (error := job.exception()) is not None:
            logger.error("The supervisor failed at something: %s", error, exc_info=error)
