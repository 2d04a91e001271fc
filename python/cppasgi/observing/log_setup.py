"""The server log: where Python's logging of this process goes, and in what form."""

from __future__ import annotations

import logging
import sys
from typing import Any

from cppasgi.log_handler import StandardErrorHandler
from cppasgi.log_text import LogFormatter
from cppasgi.observing.log_repeats import REPEATS
from cppasgi.settings.values import JSON_FORMAT

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG, logging.DEBUG)

_own: list[logging.Handler] = []
"""The root's handler, if it is ours; it may get another form later."""


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
    logging.getLogger("asyncio").addFilter(REPEATS)
    if config is not None:
        from logging.config import dictConfig

        try:
            values = {"version": 1, "disable_existing_loggers": False, **_read(config)}
            dictConfig(values)
        except Exception as error:  # whatever a handler's class or a parser may raise
            reason = " ".join(f"{error.__cause__ or error}".split())
            raise LogConfigError(f"{config}: {reason}") from error
        return
    if not logging.root.handlers:
        # Without standard error its descriptor may be any file's.
        _own[:] = [logging.NullHandler() if sys.stderr is None else StandardErrorHandler()]
        logging.root.addHandler(_own[0])
    elif logging.root.handlers != _own:  # somebody else has set it up
        return
    _own[0].setFormatter(_formatter(log_format))
    logging.root.setLevel(_LEVELS[verbosity])


def reopen_log_files() -> None:
    """Has logging's file handlers open their files again, after those were moved away."""
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]
    for handler in {handler for each in loggers for handler in each.handlers}:
        if isinstance(handler, logging.FileHandler) and handler.mode != "w":
            handler.close()  # the next line opens it


def _formatter(log_format: str) -> logging.Formatter:
    if log_format != JSON_FORMAT:
        return LogFormatter(log_format)
    from cppasgi.observing.json_log import JsonFormatter

    return JsonFormatter()


def _read(config: str) -> dict[str, Any]:
    from pathlib import Path

    file = Path(config)
    text = file.read_text(encoding="utf-8")
    if file.suffix in (".yaml", ".yml"):
        from yaml import safe_load as loads
    elif file.suffix == ".toml":
        from cppasgi.settings.toml import loads
    else:
        from json import loads
    values = loads(text)
    if not isinstance(values, dict):
        raise ValueError("not a table of logging's settings")
    return values
