"""Waiting in a test for what must come true."""

from __future__ import annotations

import time
from collections.abc import Callable

from server_process import ServerProcess


def wait_until(condition: Callable[[], object], timeout: float = 5) -> None:
    """Returns as soon as the condition is true; fails after so many seconds."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def bytes_sent_until_stalled(probe: ServerProcess, key: str) -> int:
    """Returns what the probe's application could send to a client that doesn't read.

    That is what the kernel's socket buffers take, and little more.
    """
    probe.report(key)
    time.sleep(0.5)
    taken = probe.report(key)
    time.sleep(0.5)
    assert probe.report(key) == taken, "send() goes on although nobody reads"
    assert isinstance(taken, int)
    assert taken < 16 * 1024 * 1024
    return taken


def expect_failed_send(probe: ServerProcess, key: str) -> None:
    """Waits until the probe's application has ended by what its send() raised."""
    end = probe.report(f"{key}-end")
    assert isinstance(end, dict)
    assert "OSError" in end["bases"]
