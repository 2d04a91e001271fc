"""The process above that which serves in ``manage.py runserver``: starts it, again at a reload.

Django's own, `autoreload.restart_with_reloader`, kills the process that serves when it is to stop
itself, so that no application would get to clean up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

from django.utils import autoreload

STOP_SECONDS = 2.0
"""What a server gets from its process, which ends then or loads the code again."""

_RELOAD_STATUS = 3
_LEAST_SECONDS = 1.0
"""What its process gets beyond that, to end by itself."""


def is_above() -> bool:
    """Tells whether this process is the one above."""
    return os.environ.get(autoreload.DJANGO_AUTORELOAD_ENV) != "true"


def serve_in_children() -> int:
    """Runs the command in a child, and in another when code has changed, until it ends otherwise.

    SIGINT and SIGTERM, which reach both processes or this one alone, stop the child gently.

    Returns:
        The status to exit with.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    environment = {**os.environ, autoreload.DJANGO_AUTORELOAD_ENV: "true"}
    while True:
        child = subprocess.Popen(autoreload.get_child_arguments(), env=environment, close_fds=False)
        try:
            status = child.wait()
        except (KeyboardInterrupt, SystemExit):
            _stop(child)
            return 0
        if status != _RELOAD_STATUS:
            return status


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    # A second signal doesn't wait.
    with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt, SystemExit):
        child.wait(STOP_SECONDS + _LEAST_SECONDS)
    child.kill()
