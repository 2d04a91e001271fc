"""``--reload``: notices that Python files below the working directory changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger("cppasgi.reload")


def check_reload() -> None:
    """Makes sure that files can be watched.

    Raises:
        ImportError: watchfiles is missing; the text is one line.
    """
    try:
        import watchfiles  # noqa: F401
    except ImportError as error:
        raise ImportError(f"--reload needs watchfiles (cppasgi[reload]): {error}") from error


async def watch_files(on_change: Callable[[], object]) -> None:
    """Calls ``on_change`` after each burst of changes, until it is cancelled."""
    from watchfiles import PythonFilter, awatch

    stop = asyncio.Event()
    try:
        async for changes in awatch(Path.cwd(), watch_filter=PythonFilter(), stop_event=stop):
            names = sorted(str(Path(path).relative_to(Path.cwd())) for _, path in changes)
            logger.info("Changed: %s", ", ".join(names[:5]))
            on_change()
    finally:
        stop.set()
