"""``--reload``: notices that files of the application changed."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from watchfiles import Change

logger = logging.getLogger("cppasgi.reload")


class Watched(NamedTuple):
    """What is watched.

    Attributes:
        folders: instead of the working directory, if there are any.
        include: patterns of files beside ``*.py``: of the name, or with slashes of the path's end.
        exclude: such patterns of files that aren't, whatever the others say; or folders.
    """

    folders: Sequence[str] = ()
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()


def check_reload() -> None:
    """Makes sure that files can be watched.

    Raises:
        ImportError: watchfiles is missing; the text is one line.
    """
    try:
        import watchfiles  # noqa: F401
    except ImportError as error:
        raise ImportError(f"--reload needs watchfiles (cppasgi[reload]): {error}") from error


def is_watched(path: str, watched: Watched) -> bool:
    """Whether a change of the file ``path``, which is absolute, counts."""
    file = PurePath(path)
    for pattern in watched.exclude:
        if file.match(pattern) or PurePath(os.path.realpath(pattern)) in file.parents:
            return False
    return any(file.match(pattern) for pattern in ("*.py", *watched.include))


async def watch_files(on_change: Callable[[], object], watched: Watched) -> None:
    """Calls ``on_change`` after each burst of changes, until it is cancelled."""
    from watchfiles import DefaultFilter, awatch

    ordinary = DefaultFilter()  # passes over .git, __pycache__ and the like

    def counts(change: Change, path: str) -> bool:
        return ordinary(change, path) and is_watched(path, watched)

    stop = asyncio.Event()
    folders = [os.path.realpath(folder) for folder in watched.folders or ["."]]
    try:
        async for changes in awatch(*folders, watch_filter=counts, stop_event=stop):
            names = sorted(os.path.relpath(path) for _, path in changes)
            logger.info("Changed: %s", ", ".join(names[:5]))
            on_change()
    finally:
        stop.set()
