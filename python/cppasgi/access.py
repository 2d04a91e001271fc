"""Where access log lines go. They are written natively, straight to a descriptor."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import HasFileno

logger = logging.getLogger("cppasgi.server")


class AccessLogFile:
    """A file that is appended to, and that can be opened again under the same descriptor."""

    def __init__(self, path: str) -> None:
        """Opens the file.

        Raises:
            OSError: it can't be opened.
        """
        self.path = path
        self._descriptor = self._open()

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

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)


def open_access_log(path: str | None, verbosity: int) -> HasFileno | None:
    """Opens the access log that the command line asks for.

    Same as Daphne's: by default standard output from verbosity 1 on, and none below; ``-`` is
    standard output at any verbosity; a file is appended to.

    Returns:
        Something with a descriptor, to be kept open as long as the server runs, or None.

    Raises:
        OSError: the file can't be opened.
    """
    if not path and verbosity < 1:
        return None
    if not path or path == "-":
        return sys.stdout
    return AccessLogFile(path)


@contextlib.contextmanager
def reopened_on_signal(log: HasFileno | None) -> Iterator[None]:
    """Opens a file again at SIGUSR1, as nginx does; elsewhere the signal then does nothing.

    Differs from Daphne, which SIGUSR1 ends. Main thread only.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def reopen(_signum: int, _frame: object) -> None:
        if isinstance(log, AccessLogFile):
            try:
                log.reopen()
            except OSError as error:
                logger.error("Can't open the access log %s again: %s", log.path, error.strerror)

    previous = signal.signal(signal.SIGUSR1, reopen)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL if previous is None else previous)
