"""The settings that only the command has: of workers, their supervisor, and its log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cppasgi.settings import values
from cppasgi.settings.setting import (
    APPLICATION,
    LOGGING,
    PROCESSES,
    SECONDS,
    SWITCH,
    TEXT,
    Kind,
    setting,
    several,
    whole,
)


@dataclass(eq=False, repr=False)
class CommandSettings:
    """The flags whose values aren't keywords of `Server`."""

    factory: bool = setting(
        False,
        SWITCH,
        APPLICATION,
        "what is named isn't the application, but a function that makes it",
    )
    app_dir: str | None = setting(
        None,
        Kind(values.folder, "FOLDER"),
        APPLICATION,
        "where Python looks for the application first",
        shown="working directory",
        is_optional=True,
    )
    env_file: str | None = setting(
        None,
        TEXT,
        APPLICATION,
        "file with environment variables, KEY=VALUE on each line, for those that aren't set; needs "
        "python-dotenv (cppasgi[env])",
        unit="FILE",
        is_optional=True,
    )
    workers: int = setting(
        1,
        Kind(values.workers, "N"),
        PROCESSES,
        "worker processes, or auto for one per core that this may use",
    )
    max_requests: int = setting(
        0,
        whole("N", 0),
        PROCESSES,
        "replace a worker after so many requests and WebSockets, give or take a tenth",
        shown="0, never",
    )
    worker_lifetime: float = setting(
        0,
        SECONDS,
        PROCESSES,
        "replace a worker after so long, give or take a tenth",
        shown="0, never",
    )
    worker_max_rss: int = setting(
        0,
        whole("MIB", 0),
        PROCESSES,
        "replace a worker that takes more resident memory",
        shown="0, never",
    )
    metrics: str | None = setting(
        None,
        Kind(values.address, "ADDRESS"),
        PROCESSES,
        "serve /metrics, /status, /healthz and /readyz at HOST:PORT or unix:PATH, which is a "
        "socket for this user only unless :mode=660 or the like follows",
        is_optional=True,
        is_fixed=True,
    )
    reload: bool = setting(
        False,
        SWITCH,
        PROCESSES,
        "replace the workers when Python files change",
        is_fixed=True,
    )
    reload_dir: Sequence[str] = setting(
        (),
        several(values.folder, "FOLDER"),
        PROCESSES,
        "folder to watch instead; may be repeated",
        shown="working directory",
        is_fixed=True,
    )
    reload_include: Sequence[str] = setting(
        (),
        several(values.glob, "GLOB"),
        PROCESSES,
        "files to watch beside *.py, such as *.html; may be repeated",
        is_fixed=True,
    )
    reload_exclude: Sequence[str] = setting(
        (),
        several(values.glob, "GLOB"),
        PROCESSES,
        "files, or a folder, not to watch; may be repeated",
        is_fixed=True,
    )
    log_fmt: str = setting(
        "%(asctime)-15s %(levelname)-8s %(message)s",
        Kind(values.log_format, "FORMAT"),
        LOGGING,
        "format of log lines, as in Python's logging, or json",
        shown="as Daphne",
    )
    log_config: str | None = setting(
        None,
        TEXT,
        LOGGING,
        "file for Python's logging.config.dictConfig, JSON or TOML, instead of that",
        unit="FILE",
        is_optional=True,
    )
