"""The application that most rows serve: plain ASGI 3, no framework.

HTTP: ``GET /`` (13 bytes of text), ``GET /json`` (a JSON answer), ``GET /stream`` (100 chunks of
1 KiB), ``GET /large`` (1 MiB in one body), ``POST /echo`` (the body comes back), ``POST /upload``
(the body's length comes back). WebSocket: ``/ws`` echoes every message, ``/broadcast`` sends it to
all who are connected there. Lifespan: answered.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HELLO = b"Hello, world!"
DOCUMENT = {"name": "Kyiv", "numbers": list(range(50))}
LARGE = bytes(range(256)) * 4096
STREAM_CHUNK = b"x" * 1024
STREAM_CHUNKS = 100
TEXT = (b"content-type", b"text/plain")
JSON = (b"content-type", b"application/json")

members: set[Send] = set()


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve one ASGI scope: an HTTP request, a WebSocket or the lifespan."""
    kind = scope["type"]
    if kind == "http":
        await _answer(scope["path"], receive, send)
    elif kind == "websocket":
        await receive()  # websocket.connect
        if scope["path"] == "/ws":
            await _echo(receive, send)
        elif scope["path"] == "/broadcast":
            await _broadcast(receive, send)
        else:
            await send({"type": "websocket.close"})
    elif kind == "lifespan":
        await _lifespan(receive, send)


async def _answer(path: str, receive: Receive, send: Send) -> None:
    if path == "/":
        await _respond(send, 200, HELLO, TEXT)
    elif path == "/json":
        await _respond(send, 200, json.dumps(DOCUMENT).encode(), JSON)
    elif path == "/stream":
        await _stream(send)
    elif path == "/large":
        await _respond(send, 200, LARGE, TEXT)
    elif path == "/echo":
        await _respond(send, 200, await _read_body(receive), TEXT)
    elif path == "/upload":
        await _respond(send, 200, str(await _count_body(receive)).encode(), TEXT)
    else:
        await _respond(send, 404, b"Not found", TEXT)


async def _respond(send: Send, status: int, body: bytes, content_type: tuple[bytes, bytes]) -> None:
    headers = [content_type, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _stream(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [TEXT]})
    for _ in range(STREAM_CHUNKS):
        await send({"type": "http.response.body", "body": STREAM_CHUNK, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _read_body(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body") or b""
        if not message.get("more_body"):
            return body


async def _count_body(receive: Receive) -> int:
    count = 0
    while True:
        message = await receive()
        count += len(message.get("body") or b"")
        if not message.get("more_body"):
            return count


async def _echo(receive: Receive, send: Send) -> None:
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        if text is not None:
            await send({"type": "websocket.send", "text": text})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})


async def _broadcast(receive: Receive, send: Send) -> None:
    members.add(send)
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            members.discard(send)
            return
        for member in list(members):
            await member({"type": "websocket.send", "text": message["text"]})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
