"""The command's handler for log lines: standard error, which nobody may be reading.

A line that can't be written at once waits, and is left out if too many do; the event loop never
waits for it (server/base/line_writer.h).
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import os
from collections.abc import Iterator

from cppasgi import _native

_STANDARD_ERROR = 2
_RETRY_SECONDS = 0.25
_END_SECONDS = 0.2
"""What a reader gets when the process ends."""
_LEFT_OUT = "Lines of this log left out, as they could not be written: %d"


class StandardErrorHandler(logging.Handler):
    """Writes records to standard error, as `logging.StreamHandler`, but waits for nobody."""

    def __init__(self) -> None:
        """Takes standard error as it is now."""
        super().__init__()
        self._writer = _native.LineWriter(_STANDARD_ERROR)
        os.register_at_fork(after_in_child=self._writer.discard)  # the parent writes it
        self._is_timed = False

    @property
    def dropped(self) -> int:
        """How many lines were left out so far."""
        return self._writer.dropped

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record, has it wait, or leaves it out."""
        try:
            text = self.format(record)
        except Exception:  # of a formatter or of the record's arguments
            self.handleError(record)
            return
        self._write(text)
        self._look_after()

    def flush(self) -> None:
        """Writes what waits, as far as that goes at once."""
        with self._locked():
            self._writer.flush()
            self._look_after()

    def close(self) -> None:
        """Gives what waits a last chance: the process is about to end."""
        with self._locked():
            self._writer.finish(_END_SECONDS)
            self._look_after()
        super().close()

    def _write(self, text: str) -> None:
        self._writer.write(f"{text}\n".encode(errors="backslashreplace"))

    def _look_after(self) -> None:
        """Has what waits tried again; tells how much was left out, once there is room again."""
        lines = 0 if self._writer.waiting else self._writer.take_untold()
        if lines:
            record = logging.LogRecord(
                "cppasgi.server", logging.WARNING, __file__, 0, _LEFT_OUT, (lines,), None
            )
            self._write(self.format(record))
        if self._writer.waiting and not self._is_timed:
            with contextlib.suppress(RuntimeError):  # there is no loop here: the next line does it
                loop = asyncio.get_running_loop()
                # Not in the context of the request that is being served.
                loop.call_later(_RETRY_SECONDS, self._retry, context=contextvars.Context())
                self._is_timed = True

    def _retry(self) -> None:
        self._is_timed = False
        self.flush()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()


def dropped_lines() -> int:
    """How many lines of the server log were left out in this process so far."""
    handlers = logging.getLogger().handlers
    return sum(each.dropped for each in handlers if isinstance(each, StandardErrorHandler))
