"""An application's code that runs inside the server's, and calls the server again.

Headers may be any iterable and flags any truth value, so the reading of a message can call Python.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from in_process import Client, Scope, run, serving  # noqa: F401 - run is a fixture
from wire import handshake

GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"


def send_now(send: Any, **message: Any) -> None:
    """Awaits a send() that need not wait, outside of any coroutine."""
    with pytest.raises(StopIteration):
        send(message).__await__().send(None)


class Truth:
    """A true value that calls something first."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call

    def __bool__(self) -> bool:
        self.call()
        return True


async def heads(server: Any, *requests: str) -> list[str]:
    """The heads of the responses to requests that are sent one by one, each on its connection."""
    clients = []
    for request in requests:
        clients.append(await Client.open(server))
        clients[-1].send(request)
        await asyncio.sleep(0.05)
    found = [(await client.reader.readuntil(b"\r\n\r\n")).decode() for client in clients]
    for client in clients:
        await client.close()
    return found


def test_headers_that_start_another_response(run: Any) -> None:  # noqa: F811
    waiting: list[Any] = []
    go_on = asyncio.Event()

    def headers() -> Iterator[tuple[bytes, bytes]]:
        yield b"x-mine", b"second"
        others = [(b"x-other", b"%d" % i) for i in range(40)]
        send_now(waiting[0], type="http.response.start", status=201, headers=others)
        yield b"x-more", b"second"

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if not waiting:
            waiting.append(send)
            await go_on.wait()
        else:
            await send({"type": "http.response.start", "status": 202, "headers": headers()})
            go_on.set()
        await send({"type": "http.response.body"})

    async def main() -> list[str]:
        async with serving(app) as server:
            return await heads(server, GET, GET)

    first, second = run(main())
    assert first.startswith("HTTP/1.1 201 ")
    assert first.count("x-other") == 40
    assert "x-mine" not in first
    assert second.startswith("HTTP/1.1 202 ")
    assert "x-mine: second\r\nx-more: second\r\n" in second
    assert "x-other" not in second


def test_a_pair_that_changes_the_headers_while_they_are_read(run: Any) -> None:  # noqa: F811
    class Pair:
        def __init__(self, headers: list[Any]) -> None:
            self.headers = headers

        def __iter__(self) -> Iterator[bytes]:
            self.headers.clear()
            return iter((b"x-b", b"2"))

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        headers: list[Any] = [(b"x-a", bytes(range(0x41, 0x5B)))]
        headers += [Pair(headers), (b"x-c", b"3")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    async def main() -> list[str]:
        async with serving(app) as server:
            return await heads(server, GET)

    head = run(main())[0]
    assert "x-a: ABCDEFGHIJKLMNOPQRSTUVWXYZ\r\nx-b: 2\r\n" in head
    assert "x-c" not in head  # no longer there when its turn came


def test_headers_that_start_the_response_itself(run: Any) -> None:  # noqa: F811
    errors: list[str] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        def headers() -> Iterator[tuple[bytes, bytes]]:
            send_now(send, type="http.response.start", status=201)
            yield b"x-late", b"1"

        with pytest.raises(ValueError, match="already been started") as caught:
            await send({"type": "http.response.start", "status": 200, "headers": headers()})
        errors.append(str(caught.value))
        await send({"type": "http.response.body"})

    async def main() -> list[str]:
        async with serving(app) as server:
            return await heads(server, GET)

    head = run(main())[0]
    assert errors
    assert head.startswith("HTTP/1.1 201 ")
    assert "x-late" not in head


def test_headers_that_close_the_websocket_they_would_accept(run: Any) -> None:  # noqa: F811
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        def headers() -> Iterator[tuple[bytes, bytes]]:
            send_now(send, type="websocket.close")
            yield b"x-late", b"1"

        with pytest.raises(OSError, match="client has left"):
            await send({"type": "websocket.accept", "headers": headers()})

    async def main() -> list[str]:
        async with serving(app) as server:
            return await heads(server, handshake())

    assert run(main())[0].startswith("HTTP/1.1 403 ")


def test_a_flag_that_completes_the_denial_it_belongs_to(run: Any) -> None:  # noqa: F811
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        body = {"type": "websocket.http.response.body"}
        await send({"type": "websocket.http.response.start", "status": 401})
        more = Truth(lambda: send_now(send, **body))
        with pytest.raises(OSError, match="client has left"):
            await send({**body, "body": b"late", "more_body": more})

    async def main() -> list[str]:
        async with serving(app) as server:
            return await heads(server, handshake())

    assert run(main())[0].startswith("HTTP/1.1 401 ")
