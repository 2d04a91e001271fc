"""Counts what this process has done since it started. Other server processes have their own."""

import threading
import time
from typing import Any


class RealtimeStats:
    def __init__(self) -> None:
        self._started = time.monotonic()
        self._lock = threading.Lock()  # views run in threads, consumers on the event loop
        self._status_sockets = 0
        self._messages = 0

    def count_message(self) -> None:
        with self._lock:
            self._messages += 1

    def count_status_socket(self, change: int) -> None:
        with self._lock:
            self._status_sockets += change

    def snapshot(self) -> dict[str, Any]:
        return {
            "active_connections": self._status_sockets,
            "total_messages_sent": self._messages,
            "uptime": time.monotonic() - self._started,  # seconds
        }


stats = RealtimeStats()
