"""What a case of the comparison is made of: what the client does, what the application does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wire import frame

Message = dict[str, Any]
AppStep = tuple[Any, ...]


@dataclass(frozen=True)
class Answers:
    """The client reads on until it has so many whole responses or frames in all."""

    count: int


@dataclass(frozen=True)
class Pause:
    """The client does nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Recorded:
    """The client waits until the application has recorded so many events in all."""

    events: int


@dataclass(frozen=True)
class Finish:
    """How the client ends.

    `read` to the end of the stream, with `close` when the server hasn't ended it after `patience`
    seconds; `leave` or `reset` at once.
    """

    how: str
    patience: float = 4.0


READ, LEAVE, RESET = Finish("read"), Finish("leave"), Finish("reset")
STAYS = Finish("read", patience=0.15)
"""The server is expected to keep the connection."""

ClientStep = bytes | Answers | Pause | Recorded


@dataclass(frozen=True)
class Case:
    """One sequence of bytes and application steps, the same for both servers.

    `bodiless`: the answers are to HEAD. `server` tells apart servers that must not be shared,
    `flags` is theirs.
    """

    name: str
    client: Sequence[ClientStep]
    app: Sequence[AppStep]
    finish: Finish = READ
    bodiless: bool = False
    flags: Sequence[str] = ()
    server: str = "shared"


# --- what the application does ---


def send(**message: Any) -> AppStep:
    """A message to send; what `send()` raises is recorded, and the script goes on."""
    return ("send", message)


def start(status: int = 200, *headers: tuple[bytes, bytes], **more: Any) -> AppStep:
    return send(type="http.response.start", status=status, headers=list(headers), **more)


def body(content: bytes = b"", more: bool = False) -> AppStep:
    return send(type="http.response.body", body=content, more_body=more)


READ_CONTENT: AppStep = ("read",)
RECEIVE: AppStep = ("receive",)
UNTIL_LEFT: AppStep = ("leave",)
FAIL: AppStep = ("raise",)
RESPOND: Sequence[AppStep] = (READ_CONTENT, start(200, (b"content-length", b"2")), body(b"ok"))

CONNECT: AppStep = RECEIVE
ACCEPT = send(type="websocket.accept")
ECHO: Sequence[AppStep] = (CONNECT, ACCEPT, ("echo",))


# --- what the client does ---


def request(
    target: str = "/",
    *fields: str | bytes,
    method: str = "GET",
    version: str = "1.1",
    host: bool = True,
    close: bool = True,
    content: bytes = b"",
) -> bytes:
    """A request with a Host field and, unless told otherwise, the last on its connection."""
    lines = [f"{method} {target} HTTP/{version}".encode("latin1")]
    lines += [b"Host: site.test"] if host else []
    lines += [field if isinstance(field, bytes) else field.encode("latin1") for field in fields]
    lines += [b"Connection: close"] if close else []
    return b"\r\n".join([*lines, b"", b""]) + content


KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
VERSION = "Sec-WebSocket-Version: 13"


def handshake(
    target: str = "/",
    *fields: str | bytes,
    upgrade: str = "Upgrade: websocket",
    connection: str = "Connection: Upgrade",
    key: str = KEY,
    version: str = VERSION,
    **options: Any,
) -> bytes:
    """An opening handshake; a part that is empty is left out."""
    own = [field for field in (upgrade, connection, key, version) if field]
    return request(target, *own, *fields, close=False, **options)


def frames(*parts: tuple[Any, ...]) -> bytes:
    """Frames of a client: tuples of opcode and payload, and options in a dictionary."""
    return b"".join(
        frame(part[0], part[1] if len(part) > 1 else b"", **(part[2] if len(part) > 2 else {}))
        for part in parts
    )
