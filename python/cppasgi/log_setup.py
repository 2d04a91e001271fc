"""The server log: where Python's logging of this process goes, and in what form."""

from __future__ import annotations

import logging
import time
from typing import Any

JSON_FORMAT = "json"
"""The value of ``--log-fmt`` that makes each line a JSON object."""

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG, logging.DEBUG)
_REPEATS = 10
_REPEAT_SECONDS = 10.0
_MOST_TEXTS = 1000


class LogConfigError(ValueError):
    """The file of ``--log-config`` can't be used; one line of text."""


def set_up_logging(verbosity: int, log_format: str, config: str | None) -> None:
    """Sets Python's logging up for this process.

    Args:
        verbosity: 0 warnings, 1 information, 2 and 3 debugging; as with Daphne.
        log_format: of lines on standard error, or `JSON_FORMAT`.
        config: file for `logging.config.dictConfig` instead of all that, JSON, TOML or (with
            PyYAML) YAML. Loggers that it doesn't name stay on.

    Raises:
        LogConfigError: the file can't be read or is wrong.
    """
    if config is not None:
        from logging.config import dictConfig

        try:
            values = {"version": 1, "disable_existing_loggers": False, **_read(config)}
            dictConfig(values)
        except Exception as error:  # whatever a handler's class or a parser may raise
            reason = " ".join(f"{error.__cause__ or error}".split())
            raise LogConfigError(f"{config}: {reason}") from error
        return
    handler = logging.StreamHandler()
    handler.setFormatter(_formatter(log_format))
    handler.addFilter(RepeatFilter())
    logging.basicConfig(level=_LEVELS[verbosity], handlers=[handler])


def reopen_log_files() -> None:
    """Has logging's file handlers open their files again, after those were moved away."""
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]
    for handler in {handler for each in loggers for handler in each.handlers}:
        if isinstance(handler, logging.FileHandler) and handler.mode != "w":
            handler.close()  # the next line opens it


class RepeatFilter(logging.Filter):
    """Lets ten equal lines of the server pass in ten seconds, and counts the others.

    A client, or an application that always fails alike, then can't fill the disk. Only loggers of
    cppasgi are touched.
    """

    def __init__(self) -> None:
        """Starts with nothing seen."""
        super().__init__()
        self._seen: dict[str, list[float]] = {}  # text to its first time and number

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is to be written; one that follows left out ones says how many."""
        if not record.name.startswith("cppasgi."):
            return True
        text = record.getMessage()
        now = time.monotonic()
        since, count = self._seen.get(text, (now, 0))
        if now - since > _REPEAT_SECONDS:
            left_out = int(count) - _REPEATS
            since, count = now, 0
            if left_out > 0:
                record.msg, record.args = f"{text} ({left_out} more like this were left out)", ()
        elif len(self._seen) >= _MOST_TEXTS:
            self._seen.clear()
        self._seen[text] = [since, count + 1]
        return count < _REPEATS


def _formatter(log_format: str) -> logging.Formatter:
    if log_format != JSON_FORMAT:
        return logging.Formatter(log_format)
    from cppasgi.json_log import JsonFormatter

    return JsonFormatter()


def _read(config: str) -> dict[str, Any]:
    from pathlib import Path

    file = Path(config)
    text = file.read_text(encoding="utf-8")
    if file.suffix in (".yaml", ".yml"):
        from yaml import safe_load as loads
    elif file.suffix == ".toml":
        from cppasgi.toml import loads
    else:
        from json import loads
    values = loads(text)
    if not isinstance(values, dict):
        raise ValueError("not a table of logging's settings")
    return values
