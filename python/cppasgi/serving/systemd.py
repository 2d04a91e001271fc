"""Tells systemd how the service is doing (sd_notify(3)), if it asked for that."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping


class Notifier:
    """The socket of ``Type=notify``.

    Attributes:
        watchdog_seconds: how often systemd wants a sign of life at least; None for never.
    """

    def __init__(self, address: str, watchdog_seconds: float | None) -> None:
        """Takes the path of the socket; one that begins with ``@`` is of the abstract kind."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_seconds = watchdog_seconds
        self._status = ""

    @classmethod
    def of_service(cls, environ: MutableMapping[str, str]) -> Notifier | None:
        """The one that systemd asks for; None if it doesn't.

        Takes systemd's variables out of the environment, which our children inherit.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        microseconds = environ.pop("WATCHDOG_USEC", "")
        for_us = environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        if not address:
            return None
        is_watched = for_us and microseconds.isdigit() and int(microseconds) > 0
        return cls(address, int(microseconds) / 1e6 if is_watched else None)

    def ready(self) -> None:
        """The service is up, or up again after `reloading`."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The service replaces its workers; `ready` follows."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={microseconds}")

    def stopping(self) -> None:
        """The service is about to end."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``; sent when it changes."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def alive(self) -> None:
        """The sign of life; due at least every `watchdog_seconds`."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            with contextlib.suppress(OSError):  # systemd is busy or gone; the service goes on
                sender.sendto(message.encode(), self._address)
