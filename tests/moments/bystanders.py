"""Somebody else on the same server, a kept-alive connection and a WebSocket that notice nothing.

One stays at each worker, asks for the process's state ten times a second and echoes. What it was
told is also what the invariants compare (see served/asgi.py): measuring opens no connection.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Container
from contextlib import suppress
from typing import Any

from wire import CLOSE, PING, PONG, TEXT, Wire, close_payload

PERIOD = 0.1
SLOW = 8.0  # seconds; a busy machine takes some
POLITE = (1000, 1001, 1012)  # codes of a close frame of a server that stops


class Bystander:
    """Both connections, and a thread that uses them.

    Attributes:
        pid: the process that serves them.
        trouble: what it noticed, for people.
        stop_expected: whether the server may end the connections, in order.
        ended: set once one of them has ended.
        latest: what the last state() returned.
    """

    def __init__(self, address: tuple[str, int], known: Container[int] = ()) -> None:
        self.trouble: list[str] = []
        self.stop_expected = False
        self._http = Wire.open(address)
        self._websocket: Wire | None = None
        self.ended = threading.Event()
        self._over = threading.Event()
        self._collect = False
        self._news = threading.Condition()
        self._round = 0
        self._left = False
        self._state = self._ask()
        self.pid: int = self._state["pid"]
        self.latest: dict[str, Any] | None = self._state
        self._thread = threading.Thread(target=self._live, daemon=True)
        if self.pid not in known:
            self._open_websocket(address)
            self._thread.start()

    def _open_websocket(self, address: tuple[str, int]) -> None:
        """Opens one on the same worker: the kernel chooses, so it may take some."""
        for _ in range(100):
            self._websocket = Wire.open(address).upgraded("/echo/bystander")
            if self._websocket.read_frame()[1] == str(self.pid).encode():
                return
            self._websocket.send_frame(CLOSE, close_payload(1000))
            self._websocket.close()
        raise AssertionError("no WebSocket came to this worker")

    def has_left(self, seconds: float) -> bool:
        """Whether both connections end within so long."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def close(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(20)
        self._http.close()
        if self._websocket:
            self._websocket.close()

    @property
    def objects(self) -> int:
        """How many objects the process had at the last state(), which collected garbage."""
        assert self.latest
        return int(self.latest["objects"])

    def state(self, collect: bool = False, timeout: float = 10) -> dict[str, Any] | None:
        """What the process holds after this call, None when the server has ended the connection.

        With `collect`, after a collection of garbage.
        """
        with self._news:
            goal = self._round + 2  # one may be under way
            self._collect = collect
            self._news.wait_for(lambda: self._round >= goal or self._left, timeout)
            self._collect = False
            self.latest = self._state if self._round >= goal else None
            return self.latest

    def _live(self) -> None:
        number = 0
        http = websocket = True
        while not self._over.wait(0.01 if self._collect else PERIOD) and (http or websocket):
            number += 1
            http = http and self._watched("kept-alive connection", self._use_http)
            websocket = websocket and self._watched("WebSocket", lambda n=number: self._echo(n))
        with self._news:
            self._left = True  # nobody needs to wait for news any longer
            self._news.notify_all()

    def _watched(self, name: str, use: Any) -> bool:
        """Uses a connection; False when it has ended, which is trouble unless it was politely."""
        begun = time.monotonic()
        try:
            end = use()
        except Exception as error:
            if not self._over.is_set():
                self.trouble.append(f"the bystander's {name}: {error!r}")
            self.ended.set()
            return False
        if (took := time.monotonic() - begun) > SLOW:
            self.trouble.append(f"the bystander's {name} took {took:.1f} s")
        if end is not None:
            self.ended.set()
            if not self.stop_expected:
                self.trouble.append(f"the bystander's {name} was ended: {end}")
        return end is None

    def _use_http(self) -> str | None:
        try:
            self._http.request("/state/x" + ("?collect" if self._collect else ""))
        except (BrokenPipeError, ConnectionResetError):
            return "closed between two requests"
        if not self._http.buffer and not self._http.fill():
            return "closed between two requests"
        state = self._ask(asked=True)
        with self._news:
            self._state = state
            self._round += 1
            self._news.notify_all()
        return None

    def _ask(self, asked: bool = False) -> dict[str, Any]:
        if not asked:
            self._http.request("/state/x")
        response = self._http.response()
        assert response.status == 200, response
        found: dict[str, Any] = json.loads(response.body)
        return found

    def _echo(self, number: int) -> str | None:
        assert self._websocket
        try:
            self._websocket.send_frame(TEXT, str(number))
        except (BrokenPipeError, ConnectionResetError) as error:
            # The close frame of a server that stops may have come before.
            self._websocket.buffer or self._websocket.fill()
            if not self._websocket.buffer:
                raise EOFError("ended without a close frame") from error
        opcode, payload = self._websocket.read_frame()
        while opcode == PING:
            self._websocket.send_frame(PONG, payload)
            opcode, payload = self._websocket.read_frame()
        if opcode == TEXT:
            assert payload == str(number).encode(), payload
            return None
        with suppress(OSError):
            self._websocket.send_frame(CLOSE, payload)
        self._websocket.close()
        code = int.from_bytes(payload[:2], "big")
        assert code in POLITE, f"closed with {code}"
        return f"closed with {code}"
