"""Keeps whoever always fails alike from filling the log, without hiding any error.

Lines that clients cause in the core are limited there (server/session/log_limiter.h). Here it is
what Python logs for the application: of the same line, or of the same exception from the same place
with the same text, ten are written in ten seconds. The others are counted, and told of when the ten
seconds are over. An exception from a place that has had ten tracebacks meanwhile, but with another
text, is written without its traceback.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import time
from collections.abc import Iterator

_PERIOD_SECONDS = 10.0
_MOST_LINES = 10
"""Of a kind, in a period."""
_MOST_KINDS = 1000
"""After so many different ones the period ends early: nothing grows without bound."""
_MOST_ERRORS = 20
"""That an exception brings along (causes, members of a group) and that are looked at."""
_MOST_TEXT = 200
"""Characters of a line that stand for it when its repeats are told."""


class _Kind:
    """Lines that say the same, in this period; `text` is of the first."""

    def __init__(self, logger: str, level: int, text: str) -> None:
        self.logger = logger
        self.level = level
        self.text = text
        self.lines = 0
        self.left_out = 0


class RepeatFilter(logging.Filter):
    """For a logger: what it lets through follows the rule above.

    Warnings and errors only. Of loggers other than cppasgi's, as asyncio's, only exceptions: their
    other lines are rare, and mostly for debugging.
    """

    def __init__(self) -> None:
        """Starts with nothing seen."""
        super().__init__()
        self._kinds: dict[object, _Kind] = {}
        self._tracebacks: dict[int, int] = {}  # how many were written, by place
        self._ends = 0.0
        self._is_timed = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is to be written; takes its traceback away if that is a repeat."""
        if record.levelno < logging.WARNING:
            return True
        now = time.monotonic()
        if now >= self._ends or len(self._kinds) >= _MOST_KINDS:
            self.report()
            self._ends = now + _PERIOD_SECONDS
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            if not record.name.startswith("cppasgi."):
                return True
            return self._passes((record.name, str(record.msg)), record)
        place, whole = _identify(error)
        if not self._passes((record.name, whole), record):
            return False
        written = self._tracebacks[place] = self._tracebacks.get(place, 0) + 1
        if written > _MOST_LINES:
            line, what, text = record.getMessage(), type(error).__qualname__, _text(error)
            if text not in line:
                what += f": {text}"
            record.msg, record.args = f"{line} ({what}; a traceback like it was written)", ()
            record.exc_info = record.exc_text = None
        return True

    def report(self) -> None:
        """Tells what was left out so far, and begins anew."""
        kinds, self._kinds = self._kinds, {}
        self._tracebacks = {}
        for kind in kinds.values():
            if kind.left_out:
                many = "lines like this were" if kind.left_out > 1 else "line like this was"
                text = f"{kind.text}: {kind.left_out} more {many} left out in the last 10 s"
                logging.getLogger(kind.logger).log(kind.level, "%s", text)

    def _passes(self, key: object, record: logging.LogRecord) -> bool:
        kind = self._kinds.get(key)
        if kind is None:
            text = record.getMessage().partition("\n")[0][:_MOST_TEXT]
            kind = self._kinds[key] = _Kind(record.name, record.levelno, text)
        if kind.lines < _MOST_LINES:
            kind.lines += 1
            return True
        kind.left_out += 1
        self._report_in_time()
        return False

    def _report_in_time(self) -> None:
        """Has the event loop report, if there is one here; otherwise the next line does it."""
        if self._is_timed:
            return
        with contextlib.suppress(RuntimeError):
            delay = max(self._ends - time.monotonic(), 0)
            # Not in the context of the request that is being served.
            empty = contextvars.Context()
            asyncio.get_running_loop().call_later(delay, self._on_time, context=empty)
            self._is_timed = True

    def _on_time(self) -> None:
        self._is_timed = False
        self.report()


REPEATS = RepeatFilter()
"""The filter of this process: one, so that one call of `RepeatFilter.report` tells everything."""


def _identify(error: BaseException) -> tuple[int, int]:
    """Two hashes of an exception with all that it brings along: without the texts, and with."""
    places: list[object] = []
    texts: list[str] = []
    for each in _family(error):
        places.append(type(each))
        traceback = each.__traceback__
        while traceback is not None:
            places.append((traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
            traceback = traceback.tb_next
        texts.append(_text(each))
    place = hash(tuple(places))
    return place, hash((place, *texts))


def _family(error: BaseException) -> Iterator[BaseException]:
    """Yields an exception, its causes and contexts, and the members of groups, within bounds."""
    waiting = [error]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_ERRORS:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        members = getattr(each, "exceptions", ())
        related = [each.__cause__, each.__context__]
        related += members if isinstance(members, (tuple, list)) else ()
        waiting += [one for one in related if isinstance(one, BaseException)]


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:  # whatever the application's class raises
        return f"(no text: {type(failure).__qualname__})"
