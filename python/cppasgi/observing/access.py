"""Where access log lines go. They are written natively, straight to a descriptor."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import HasFileno

logger = logging.getLogger("cppasgi.server")


class AccessLogFile:
    """A file that is appended to, and that can be opened again under the same descriptor."""

    def __init__(self, path: str, *, is_required: bool) -> None:
        """Opens the file.

        If it can't be opened and isn't required, lines are lost, and counted, until `reopen()`.

        Raises:
            OSError: it can't be opened.
        """
        self.path = path
        try:
            self._descriptor = self._open()
        except OSError as error:
            if is_required:
                raise
            logger.error(
                "Can't open the access log %s: %s: its lines are left out until SIGUSR1",
                path,
                error.strerror,
            )
            # Without O_NONBLOCK the writer would open it once more, and stay there at `reopen()`.
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
            self._descriptor = os.open("/dev/full", flags)

    def fileno(self) -> int:
        """The descriptor, the same as long as this object lives."""
        return self._descriptor

    def reopen(self) -> None:
        """Goes on in the file that the path names now, after it was moved away (logrotate).

        Raises:
            OSError: it can't be opened; lines go on to the former file.
        """
        descriptor = self._open()
        os.dup2(descriptor, self._descriptor, inheritable=False)
        os.close(descriptor)

    def close(self) -> None:
        """Closes it; nobody may write any more."""
        os.close(self._descriptor)

    def _open(self) -> int:
        flags = os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            # The reader of a FIFO may come later.
            return os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | flags, 0o666)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return os.open(self.path, os.O_RDWR | os.O_NONBLOCK | flags)


def open_access_log(
    path: str | None, verbosity: int, *, is_required: bool = True
) -> HasFileno | None:
    """Opens the access log that the command line asks for.

    Same as Daphne's: by default standard output from verbosity 1 on, and none below; ``-`` is
    standard output at any verbosity; a file is appended to, and may be missing unless it
    ``is_required``.

    Returns:
        Something with a descriptor, to be kept open as long as the server runs, or None.

    Raises:
        OSError: the file can't be opened.
    """
    if not path and verbosity < 1:
        return None
    if not path or path == "-":
        return sys.stdout
    return AccessLogFile(path, is_required=is_required)


@contextlib.contextmanager
def access_log_file(
    log: str | os.PathLike[str] | HasFileno | None, verbosity: int
) -> Iterator[HasFileno | None]:
    """The open file that a program means, by a path or as it is; what was opened here is closed.

    Raises:
        OSError: it can't be opened.
    """
    if log is None or not isinstance(log, str | os.PathLike):
        yield log
        return
    opened = open_access_log(os.fspath(log), verbosity)
    try:
        yield opened
    finally:
        if isinstance(opened, AccessLogFile):
            opened.close()


def reopen_access_log(log: HasFileno | None) -> None:
    """Opens a file again, as nginx does at SIGUSR1; standard output stays.

    Differs from Daphne, which SIGUSR1 ends.
    """
    if isinstance(log, AccessLogFile):
        try:
            log.reopen()
        except OSError as error:
            logger.error("Can't open the access log %s again: %s", log.path, error.strerror)
