"""The client of a cell: how it comes to a moment, and what it finds there afterwards.

`Client.enter(moment)` returns when the moment has come. `Client.rest()` says in a few words what
came in the end.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from matrix import Cell
from wire import TEXT, Response, Wire, handshake

from servers import Server

SMALL = 1000
BIG = 24 << 20  # more than the kernel keeps for a client that doesn't read
SMALL_BUFFER = 16 * 1024


class Client:
    """One connection that asks one application."""

    def __init__(self, server: Server, cell: Cell, key: str) -> None:
        self.server = server
        self.cell = cell
        self.app = cell.app
        self.key = key
        self.size = BIG if cell.big else SMALL
        if cell.big and cell.app.endless:
            self.size = BIG // 64  # of each event
        self.answered = False
        self._head: Response | None = None
        self.wire = Wire.open(server.address, receive_buffer=SMALL_BUFFER if cell.big else None)
        self.port: int = self.wire.sock.getsockname()[1]
        self._moment = ""
        self._missing = b""  # of the request

    def target(self, moment: str) -> str:
        quiet = "&quiet=1" if self.cell.quiet else ""
        return f"/{self.app.name}/{self.key}?at={moment}&size={self.size}{quiet}"

    def enter(self, moment: str) -> None:
        """Goes on until the moment is there."""
        self._moment = moment
        (self._enter_websocket if self.app.websocket else self._enter_http)(moment)

    def _wait(self, what: str) -> None:
        self.server.wait_for_note(self.key, what)

    def _enter_http(self, moment: str) -> None:
        head = f"GET {self.target(moment)} HTTP/1.1\r\nHost: test\r\n\r\n".encode()
        if moment == "half_head":
            self.wire.send(head[:-12])
            self._missing = head[-12:]
        elif moment == "half_body":
            head = head.replace(b"GET", b"POST").replace(
                b"\r\n\r\n", b"\r\nContent-Length: 10\r\n\r\n"
            )
            self.wire.send(head + b"12345")
            self._missing = b"67890"
            if self.server.kind.streams_content:
                self._wait("call")
            else:
                time.sleep(0.2)
        else:
            self.wire.send(head)
        if moment in ("before", "cleanup") and not (self.app.endless and moment == "cleanup"):
            self._wait(f"at {moment}")
        elif moment == "during":
            if self.app.pauses_during and not self.cell.big:
                self._wait("at during")
            self._read_head()
            while not self.wire.buffer:
                assert self.wire.fill(), "ended before the content began"
        elif moment == "idle":
            assert self._rest_of_response() == "complete"
            self._wait("call ended")
            self.answered = True
        elif moment == "cleanup":  # of an endless stream: it begins when the client leaves
            self._read_head()
            self.wire.close()
            for bystander in self.server.bystanders.values():
                # Django leaves a generator that was cut off at a yield to the garbage collection.
                bystander.state(collect=True)
            self._wait("at cleanup")

    def _enter_websocket(self, moment: str) -> None:
        head = handshake(self.target(moment)).encode()
        if moment == "half_head":
            self.wire.send(head[:-12])
            self._missing = head[-12:]
            return
        self.wire.send(head)
        if moment == "connecting":
            self._wait("at connecting")
            return
        response = self.wire.response()
        assert response.status == 101, response
        if moment in ("before", "during"):
            self.wire.send_frame(TEXT, "1")
            self._wait(f"at {moment}")
        elif moment == "cleanup":
            self.wire.send_frame(8, b"\x03\xe8")
            self._wait("at cleanup")
        else:
            self.wire.send_frame(TEXT, "1")
            for _ in range(4):
                self.wire.read_frame()

    def _read_head(self) -> None:
        response = self.wire.head()
        assert response.status == 200, response
        self._head = response

    def complete_request(self) -> None:
        """Sends what was held back of it."""
        with contextlib.suppress(OSError):
            self.wire.send(self._missing)

    def rest(self, seconds: float) -> str:
        """Reads what still comes, until the end or so long: what it is, in a few words."""
        if self.wire.sock.fileno() < 0:
            return "gone"
        self.wire.sock.settimeout(seconds)
        read = self._rest_of_websocket if self.app.websocket else self._rest_of_http
        return read()

    def _rest_of_http(self) -> str:
        if self.answered or (self._moment == "half_head" and not self._missing):
            return self._end("open", "closed")
        return self._rest_of_response()

    def _end(self, still_open: str, ended: str) -> str:
        try:
            data = self.wire.sock.recv(1)
        except TimeoutError:
            return still_open
        except ConnectionResetError:
            return "reset"
        return "more than the answer" if data else ended

    def _rest_of_response(self) -> str:
        """The response, from where it has been read to."""
        end = time.monotonic() + (self.wire.sock.gettimeout() or 15)
        head = self._head
        try:
            if head is None:
                if not self.wire.buffer and not self.wire.fill():
                    return "closed"
                head = self.wire.head()
            if head.status != 200:
                return f"status {head.status}"
            received = self._content(head.header("content-length"), end)
        except TimeoutError:
            return "silence" if head is None else "half an answer, then silence"
        except EOFError:
            return "cut"
        if self.app.endless:
            return "complete"
        return "complete" if received == self.size else f"{received} of {self.size} bytes"

    def _content(self, length: str | None, end: float) -> int:
        if length is not None:
            return self._count(lambda left: self.wire.read(min(left, 1 << 16)), int(length))
        received = 0
        while chunk := self.wire.chunk():
            received += len(chunk)
            if time.monotonic() > end:
                raise TimeoutError
        return received

    def _count(self, read: Callable[[int], bytes], size: int) -> int:
        received = 0
        while received < size:
            received += len(read(size - received))
        return received

    def _rest_of_websocket(self) -> str:
        """How the connection ends: "close CODE" for a close frame, "open" if it doesn't end."""
        try:
            if self._moment in ("half_head", "connecting"):
                if not self.wire.buffer and not self.wire.fill():
                    return "closed"
                response = self.wire.response()
                if response.status != 101:
                    return f"status {response.status}"
                self._moment = "idle"
            code = self.wire.read_close()
        except TimeoutError:
            return "silence" if self._moment == "connecting" else "open"
        except EOFError:
            return "ended without a close frame"
        with contextlib.suppress(OSError):  # ours may have been first
            self.wire.send_frame(8, code.to_bytes(2, "big") if code else b"")
        return f"close {code}"
