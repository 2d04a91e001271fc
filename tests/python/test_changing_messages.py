"""Messages that change while the server reads them, and values that run code when they are read.

What these tests look for is memory that is used after it was freed, as those of test_misuse.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from in_process import Client, Scope, answer, run, serving  # noqa: F401 - run is a fixture
from test_misuse import GET, ask
from wire import handshake


class Trap:
    """A key that is looked at when another of the same hash is looked up, and calls something."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.call: Callable[[], object] | None = None

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        call, self.call = self.call, None
        if call is not None:
            call()
            churn()
        return False


def churn() -> None:
    """Uses the memory that was freed for something else."""
    for size in (1, 10, 33, 48, 64, 100, 200, 500):
        for _ in range(20):
            bytes(size).join([b"x", b"y"])
            bytearray(size)


def fresh(value: Any) -> Any:
    """A copy of which nobody else has a reference."""
    if isinstance(value, str):
        return "".join(list(value))
    if isinstance(value, bytes):
        return bytes(bytearray(value))
    if isinstance(value, (list, tuple)):
        return type(value)(fresh(item) for item in value)
    return value


def trapped(message: dict[str, Any], name: str, change: str) -> dict[Any, Any]:
    """The message with a trap before the key of this name."""
    trap = Trap(name)
    found: dict[Any, Any] = {trap: None}
    found.update((key, fresh(value)) for key, value in message.items())

    def clear() -> None:
        for value in list(found.values()):
            if isinstance(value, list):
                value.clear()
        found.clear()

    def replace() -> None:
        for key in list(found):
            if isinstance(key, str) and key != "type":
                found[key] = None

    trap.call = {"clear": clear, "replace": replace}[change]
    return found


HEADERS = [(b"x-a", b"1" * 40), (b"x-b", b"2" * 40)]
HTTP_MESSAGES: list[dict[str, Any]] = [
    {"type": "http.response.start", "status": 201, "headers": HEADERS, "trailers": True},
    {"type": "http.response.body", "body": b"b" * 20_000, "more_body": True},
    {"type": "http.response.early_hint", "links": [b"</a>; rel=preload", b"</b>; rel=preload"]},
    {"type": "http.response.pathsend", "path": "/nowhere/at/all"},
    {"type": "http.response.zerocopysend", "file": 0, "offset": 10**9, "count": 10**9},
    {"type": "http.response.trailers", "headers": HEADERS, "more_trailers": False},
]
WEBSOCKET_MESSAGES: list[dict[str, Any]] = [
    {"type": "websocket.accept", "headers": HEADERS, "subprotocol": "chat" * 10},
    {"type": "websocket.send", "text": "t" * 300, "bytes": None},
    {"type": "websocket.send", "bytes": b"b" * 300, "text": None},
    {"type": "websocket.close", "code": 3000, "reason": "because" * 5},
    {"type": "websocket.http.response.start", "status": 403, "headers": HEADERS},
    {"type": "websocket.http.response.body", "body": b"b" * 20_000, "more_body": True},
]


async def send_all_trapped(send: Any, messages: list[dict[str, Any]]) -> None:
    for message in messages:
        for name in message:
            for change in ("clear", "replace"):
                with suppress(ValueError, TypeError, OSError):
                    await send(trapped(message, name, change))


@pytest.mark.parametrize("first", [None, 0, 1], ids=["expected", "started", "begun"])
def test_http_messages_that_change_while_they_are_read(
    run: Any,  # noqa: F811
    first: int | None,
) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if first is not None:
            for message in HTTP_MESSAGES[: first + 1]:
                await send({**message, "trailers": False})
        await send_all_trapped(send, HTTP_MESSAGES[::-1])

    ask(run, app, GET.replace("\r\n\r\n", "\r\nTE: trailers\r\n\r\n"))


@pytest.mark.parametrize("begin", ["connecting", "open", "denying"])
def test_websocket_messages_that_change_while_they_are_read(
    run: Any,  # noqa: F811
    begin: str,
) -> None:
    messages = WEBSOCKET_MESSAGES

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        if begin == "open":
            await send({"type": "websocket.accept"})
        if begin == "denying":
            await send(messages[4])
        await send_all_trapped(send, messages if begin == "open" else messages[::-1])

    ask(run, app, handshake(extra=f"Sec-WebSocket-Protocol: {'chat' * 10}"))


class Explosive(bytes):
    """Bytes whose text changes what they are in."""

    def __new__(cls, value: bytes, call: Callable[[], object]) -> Any:
        made = super().__new__(cls, value)
        made.call = call  # type: ignore[attr-defined]
        return made

    def __repr__(self) -> str:
        self.call()  # type: ignore[attr-defined]
        churn()
        return "explosive"


class Stranger:
    """Neither bytes nor text, and its text changes what it is in."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.call = call

    def __str__(self) -> str:
        self.call()
        churn()
        return "stranger"

    __repr__ = __str__


@pytest.mark.parametrize("place", ["name", "value", "length", "link", "stranger", "text"])
def test_wrong_values_whose_text_changes_the_message(
    run: Any,  # noqa: F811
    place: str,
) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        message: dict[str, Any] = {"type": "http.response.start", "status": 200}
        pair: list[Any] = [b"x-a", b"1"]
        message["headers"] = [pair]

        def clear() -> None:
            for item in (pair, message.get("headers"), message.get("links"), message):
                if item is not None:
                    item.clear()

        if place == "name":
            pair[0] = Explosive(b"a b", clear)
        elif place == "value":
            pair[1] = Explosive(b"a\nb", clear)
        elif place == "length":
            pair[:] = b"content-length", Explosive(b"many", clear)
        elif place == "link":
            message.update(type="http.response.early_hint", links=[Explosive(b"a\nb", clear)])
        elif place == "stranger":
            pair[0] = Stranger(clear)
        else:
            message.update(type=Stranger(clear))
        with pytest.raises((ValueError, TypeError)):
            await send(message)
        await answer(send, "told")

    assert ask(run, app).endswith(b"told")


@pytest.mark.parametrize("first", ["body", "file"])
def test_a_file_that_sends_something_else_first(
    run: Any,  # noqa: F811
    first: str,
    tmp_path: Path,
) -> None:
    """While its message is read. It isn't sent after the end, nor into the other file."""
    path = tmp_path / "large"
    path.write_bytes(b"f" * (16 << 20))
    told: list[str] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        class File:
            def fileno(self) -> int:
                if first == "body":
                    send({"type": "http.response.body", "body": b"first"})
                else:
                    send({"type": "http.response.pathsend", "path": str(path)})
                return file.fileno()

        with path.open("rb") as file:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            message = {"type": "http.response.zerocopysend", "file": File(), "offset": 0}
            with pytest.raises(ValueError, match="zerocopysend is not expected") as caught:
                await send(message)
            told.append(str(caught.value))

    assert (b"first" if first == "body" else b"ffff") in ask(run, app, sendfile=True)
    assert told


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python code can't give buffers before 3.12")
def test_a_buffer_whose_release_runs_code(run: Any) -> None:  # noqa: F811
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        class Buffer:
            def __buffer__(self, flags: int) -> memoryview:
                return memoryview(b"buffered")

            def __release_buffer__(self, view: memoryview) -> None:
                message.clear()
                with suppress(StopIteration):
                    send({"type": "http.response.body", "body": b" after"}).send(None)
                raise LookupError("in a release")

        await send({"type": "http.response.start", "status": 200, "headers": []})
        message: dict[str, Any] = {"type": "http.response.body", "more_body": True}
        message["body"] = Buffer()
        with suppress(LookupError):
            await send(message)

    assert b"buffered" in ask(run, app)


def test_bytes_that_shrink_while_they_wait(run: Any) -> None:  # noqa: F811
    """A bytearray can't be resized while it is looked at, and is free after the call."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        body = bytearray(b"x" * 300_000)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        awaitable = send({"type": "http.response.body", "body": body, "more_body": True})
        body.clear()
        churn()
        await awaitable
        await send({"type": "http.response.body", "body": memoryview(b"-end")})

    async def main() -> bytes:
        async with serving(app) as server:
            client = await Client.open(server)
            client.send(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"))
            data = await client.reader.read()
            await client.close()
            return data

    assert bytes(run(main())).count(b"x") >= 300_000
