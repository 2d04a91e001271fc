"""What the native server is told of the settings, under its own names."""

from __future__ import annotations

import logging
import resource
import sys
from typing import TYPE_CHECKING

from cppasgi import _native
from cppasgi.settings.server_settings import ServerSettings
from cppasgi.settings.setting import settings_of

if TYPE_CHECKING:
    from _typeshed import HasFileno

logger = logging.getLogger("cppasgi.server")


def native_options(
    settings: ServerSettings, access_log: HasFileno | None = None
) -> _native.ServerOptions:
    """Makes the native server's options out of settings; the file is that of the access log."""
    options = _native.ServerOptions()
    for name, one in settings_of(ServerSettings):
        if one.native:
            setattr(options, one.native, one.kind.native(getattr(settings, name)))
    options.max_connections = _within_open_files(settings.limit_concurrency)
    options.finishes_responses = _is_django_4()
    options.access_log_fd = -1 if access_log is None else access_log.fileno()
    options.date_header = settings.date_header and not settings.daphne_strict
    return options


def _is_django_4() -> bool:
    """Django before 5.0 doesn't listen while it sends, and cleans up only after the last part."""
    django = sys.modules.get("django")
    return django is not None and django.VERSION < (5,)


def most_connections(wanted: int) -> tuple[int, int]:
    """How many there may be, up to ``wanted``, and how many files the process may open.

    Descriptors are left for the application, and for telling clients that there are too many.
    """
    open_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if open_files == resource.RLIM_INFINITY:
        return wanted, open_files
    return min(wanted, max(open_files - max(open_files // 8, 128), open_files // 2, 1)), open_files


def _within_open_files(connections: int) -> int:
    most, open_files = most_connections(connections)
    if most < connections:
        logger.info("At most %d connections, as the process may open %d files", most, open_files)
    return most
