"""Tells a Python callable what happens to each request and WebSocket, as Daphne's action logger.

The access log is written natively and needs none of this; `runserver` does, for coloured lines.
Only what reaches the application is told, not what the server refuses on its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from cppasgi._native import ClientDisconnected

if TYPE_CHECKING:
    from cppasgi.settings.asgi import Application, Message, Receive, Send

ActionLogger: TypeAlias = Callable[[str, str, dict[str, Any]], object]


def log_actions(application: Application, log: ActionLogger) -> Application:
    """Wraps an application so that ``log(protocol, action, details)`` hears of its connections.

    Same as Daphne's: ``http`` has the action ``complete``, ``websocket`` has ``connecting``,
    ``connected``, ``rejected`` and ``disconnected``. Details are ``path`` and ``client``
    (``host:port``, or None on a Unix socket); for HTTP also ``method``, ``status``, ``size`` (bytes
    of the body) and ``time_taken`` (seconds), and its path has the query.
    """

    async def logged(scope: Message, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await _HttpActions(scope, log).run(application, scope, receive, send)
        elif kind == "websocket":
            await _WebSocketActions(scope, log).run(application, scope, receive, send)
        else:
            await application(scope, receive, send)

    return logged


class _HttpActions:
    """Follows one request until its response is complete."""

    def __init__(self, scope: Message, log: ActionLogger) -> None:
        self._log = log
        self._status: int | None = None
        self._size = 0
        self._open = True
        self._start = time.monotonic()
        target = scope["raw_path"]
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        self._details = {
            "path": _text(target),
            "method": scope["method"],
            "client": _client(scope),
        }

    async def run(
        self, application: Application, scope: Message, receive: Receive, send: Send
    ) -> None:
        async def watched_receive() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                self._open = False
            return message

        async def watched_send(message: Message) -> None:
            await send(message)
            self._on_sent(message)

        try:
            await application(scope, watched_receive, watched_send)
        except ClientDisconnected:
            raise
        except Exception:
            self._complete(self._status or 500)
            raise
        self._complete(self._status or 500)

    def _on_sent(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self._status = int(message["status"])
        elif kind == "http.response.body":
            self._size += len(message.get("body", b""))
            if not message.get("more_body", False):
                self._complete(self._status)

    def _complete(self, status: int | None) -> None:
        if not self._open:
            return
        self._open = False
        taken = time.monotonic() - self._start
        details = {**self._details, "status": status, "size": self._size, "time_taken": taken}
        self._log("http", "complete", details)


class _WebSocketActions:
    """Follows one WebSocket from its handshake to its end."""

    def __init__(self, scope: Message, log: ActionLogger) -> None:
        self._log = log
        self._answered = False
        self._over = False
        self._details = {"path": _text(scope["raw_path"]), "client": _client(scope)}

    async def run(
        self, application: Application, scope: Message, receive: Receive, send: Send
    ) -> None:
        async def watched_receive() -> Message:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self._end()
            return message

        async def watched_send(message: Message) -> None:
            await send(message)
            if not self._answered:
                self._answered = True
                accepted = message["type"] == "websocket.accept"
                self._tell("connected" if accepted else "rejected")

        self._tell("connecting")
        try:
            await application(scope, watched_receive, watched_send)
        finally:
            self._end()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._tell("disconnected")

    def _tell(self, action: str) -> None:
        self._log("websocket", action, dict(self._details))


def _text(target: bytes) -> str:
    return target.decode("ascii") if target.isascii() else repr(target)


def _client(scope: Message) -> str | None:
    client = scope.get("client")
    return f"{client[0]}:{client[1]}" if client else None
