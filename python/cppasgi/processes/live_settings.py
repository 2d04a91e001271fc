"""What a supervisor applies of its configuration while it runs: at SIGHUP the file is read again.

Most settings are those of the workers, who read them at their start. Here are the supervisor's own,
and those that only a restart applies, as their sockets and watches are there already.
"""

from __future__ import annotations

import logging
import math
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from cppasgi.processes.recycling import WorkerLimits

logger = logging.getLogger("cppasgi.supervisor")


class LiveSettings(NamedTuple):
    """The supervisor's own; `cppasgi.processes.supervisor.Supervisor` says what they mean."""

    workers: int
    graceful_timeout: float
    drain_delay: float
    worker_timeout: float
    limits: WorkerLimits

    @classmethod
    def of(cls, options: Namespace) -> LiveSettings:
        """Those among the values of all flags."""
        return cls(
            workers=options.workers,
            graceful_timeout=options.graceful_timeout,
            drain_delay=options.drain_delay,
            worker_timeout=options.worker_timeout or math.inf,
            limits=WorkerLimits(
                options.max_requests, options.worker_lifetime, options.worker_max_rss << 20
            ),
        )


class Configuration:
    """All flags of a supervisor, wherever they were set.

    Attributes:
        live: its own settings as they are now.
    """

    def __init__(
        self,
        keys: Mapping[str, str],
        fixed: Iterable[str],
        options: Namespace,
        read: Callable[[], Namespace],
        set_up_logging: Callable[[Namespace], None],
    ) -> None:
        """Begins with ``options``.

        Args:
            keys: the name of each value in a file of settings.
            fixed: names of the values that count from the start to the end.
            options: their values at the start.
            read: reads them again; a ValueError says what is wrong.
            set_up_logging: with such values; a ValueError says why that can't be.
        """
        self._keys = keys
        self._fixed = [*fixed]
        self._begun = self._options = options
        self._read = read
        self._set_up_logging = set_up_logging
        self.live = LiveSettings.of(options)

    def set_up_logging(self) -> None:
        """Sets logging up again, for files that were moved away too."""
        try:
            self._set_up_logging(self._options)
        except ValueError as error:
            logger.error("Logging stays as it is: %s", error)

    def read_again(self) -> bool:
        """Reads all again, and logs what needs a restart; if it can't, logs why and is False."""
        try:
            self._options = self._read()
        except ValueError as error:
            logger.error("The configuration stays as it is, and so do the workers: %s", error)
            return False
        self.live = LiveSettings.of(self._options)
        self.set_up_logging()
        changed = [name for name in self._fixed if self._changed(name)]
        if self._changed("log_config") and self._options.log_config is None:
            changed.append("log_config")
        if changed:
            names = ", ".join(self._keys[name] for name in changed)
            logger.warning("Only a restart applies what was changed of: %s", names)
        return True

    def _changed(self, name: str) -> bool:
        return bool(getattr(self._begun, name) != getattr(self._options, name))
