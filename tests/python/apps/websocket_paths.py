"""WebSocket paths of apps/probe.py: `/name/rest` calls `name(scope, receive, send, rest)`."""

import asyncio
import json
import time
from typing import Any

from apps.http_paths import raised_by
from apps.reports import REPORTS, outcome

ACCEPT = {"type": "websocket.accept"}


async def accept(receive: Any, send: Any) -> None:
    message = await receive()
    assert message == {"type": "websocket.connect"}, message
    await send(ACCEPT)


async def not_found(scope: Any, receive: Any, send: Any, rest: str) -> None:
    await receive()
    await send({"type": "websocket.close"})


async def echo(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Sends messages back, and notes how the socket ended: /echo/<key>."""
    await accept(receive, send)
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            REPORTS[rest] = message
            return
        message["type"] = "websocket.send"
        await send(message)


async def raw_messages(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Answers each message with its repr()."""
    await accept(receive, send)
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "text": repr(message)})


async def scope(scope: Any, receive: Any, send: Any, rest: str) -> None:
    await accept(receive, send)
    await send({"type": "websocket.send", "text": repr(scope)})


async def negotiate(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Accepts with the last subprotocol offered, and with headers of its own."""
    await receive()
    offered = scope["subprotocols"]
    await send(
        {
            "type": "websocket.accept",
            "subprotocol": offered[-1] if offered else None,
            "headers": [(b"x-one", b"1"), (b"x-two", b"2"), (b"x-one", b"3")],
        }
    )
    await receive()


async def reject(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Refuses the handshake; /reject/<key>."""
    await receive()
    await send({"type": "websocket.close", "code": 4000, "reason": "no"})
    REPORTS[rest] = await asyncio.wait_for(receive(), 5)


async def deny(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Refuses it with a response of its own."""
    await receive()
    await send(
        {
            "type": "websocket.http.response.start",
            "status": 401,
            "headers": [(b"www-authenticate", b"Basic"), (b"content-type", b"text/plain")],
        }
    )
    await send({"type": "websocket.http.response.body", "body": b"who ", "more_body": True})
    await send({"type": "websocket.http.response.body", "body": b"are you?"})


async def never_answer(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Lets the handshake wait; notes what it is told then."""
    await receive()
    REPORTS[rest] = await receive()


async def close(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """/close/4001/reason closes with both, /close with neither, and notes the end under `rest`."""
    await accept(receive, send)
    message: dict[str, Any] = {"type": "websocket.close"}
    code, _, reason = rest.partition("/")
    if code:
        message["code"] = int(code)
    if reason:
        message["reason"] = reason
    await send(message)
    REPORTS[f"close-{rest}"] = await asyncio.wait_for(receive(), 10)


async def return_at_once(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Ends without an answer to the handshake."""


async def return_after_accept(scope: Any, receive: Any, send: Any, rest: str) -> None:
    await accept(receive, send)
    await send({"type": "websocket.send", "text": "last words"})


async def raise_at_once(scope: Any, receive: Any, send: Any, rest: str) -> None:
    raise LookupError("broken on purpose, before accept")


async def raise_after_accept(scope: Any, receive: Any, send: Any, rest: str) -> None:
    await accept(receive, send)
    await send({"type": "websocket.send", "text": "last words"})
    raise LookupError("broken on purpose, after accept")


async def send_to_gone(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Sends when the client is known to have gone."""
    await accept(receive, send)
    while (await receive())["type"] != "websocket.disconnect":
        pass
    first = await raised_by(send, {"type": "websocket.send", "text": "too late"})
    await asyncio.sleep(0.1)
    second = await raised_by(send, {"type": "websocket.close"})
    REPORTS[rest] = [outcome(first), outcome(second)]


async def send_after_close(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Sends a message behind its own close: /send-after-close/<key>."""
    await accept(receive, send)
    await send({"type": "websocket.close", "code": 1001})
    REPORTS[rest] = outcome(await raised_by(send, {"type": "websocket.send", "text": "late"}))


async def collect(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Notes all texts and the end, after a slow clean-up that nothing cancels: /collect/<key>."""
    await accept(receive, send)
    texts = []
    try:
        while (message := await receive())["type"] == "websocket.receive":
            texts.append(message["text"])
        await asyncio.sleep(0.3)
    except asyncio.CancelledError:
        REPORTS[rest] = "cancelled"
        raise
    REPORTS[rest] = {"texts": texts, "code": message["code"], "reason": message["reason"]}


async def chatter(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Sends on and on, and cleans up when that ends: /chatter/<key>."""
    await accept(receive, send)
    try:
        while True:
            await send({"type": "websocket.send", "text": "x" * 1000})
            await asyncio.sleep(0.01)
    except OSError:
        await asyncio.sleep(0.3)
        REPORTS[rest] = await receive()
    except asyncio.CancelledError:
        REPORTS[rest] = "cancelled"
        raise


async def endless(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Sends small messages until send() raises: /endless/<key>."""
    await accept(receive, send)
    try:
        while True:
            await send({"type": "websocket.send", "text": "tick"})
            await asyncio.sleep(0.01)
    except Exception as error:
        REPORTS[rest] = outcome(error)
        raise


async def flood(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Sends without end, and notes how many bytes send() has taken: /flood/<key>."""
    await accept(receive, send)
    taken = 0
    try:
        while True:
            await send({"type": "websocket.send", "bytes": bytes(16384)})
            taken += 16384
            REPORTS[rest] = taken
    except OSError as error:
        REPORTS[f"{rest}-end"] = outcome(error)


async def slow_reader(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Takes no message for a while, then counts them: /slow-reader/<key>."""
    await accept(receive, send)
    await asyncio.sleep(1.5)
    count = size = 0
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            break
        count += 1
        size += len(message.get("bytes") or "")
    REPORTS[rest] = {"count": count, "size": size}


async def busy(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Awaits something else than receive(): /busy/<key>."""
    await accept(receive, send)
    await asyncio.sleep(1.5)
    REPORTS[rest] = await receive()


async def deaf(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Receives nothing, until its client has left."""
    await accept(receive, send)
    await asyncio.sleep(60)


async def block(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Keeps the whole loop busy for a while at its first message, which no application should."""
    await accept(receive, send)
    await receive()
    time.sleep(2)


async def burst(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """/burst/1000: so many numbered messages, and a close."""
    await accept(receive, send)
    for number in range(int(rest)):
        await send({"type": "websocket.send", "text": str(number)})
    await send({"type": "websocket.close"})


async def large(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """/large/1048576: one binary message of that size."""
    await accept(receive, send)
    await send({"type": "websocket.send", "bytes": b"\xa5" * int(rest)})


async def receive_again(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Notes the first two messages after the disconnect: /receive-again/<key>."""
    await accept(receive, send)
    seen = []
    while len(seen) < 2:
        try:
            message = await asyncio.wait_for(receive(), 1)
        except asyncio.TimeoutError:
            seen.append("nothing")
        except Exception as error:
            seen.append(type(error).__name__)
        else:
            if message["type"] == "websocket.disconnect":
                seen.append(message["type"])
    REPORTS[rest] = seen


SEND_TEXT = {"type": "websocket.send", "text": "x"}
WRONG: dict[str, list[Any]] = {
    "send-before-accept": [SEND_TEXT],
    "accept-twice": [ACCEPT, ACCEPT],
    "unknown-type": [ACCEPT, {"type": "websocket.nonsense"}],
    "http-message": [ACCEPT, {"type": "http.response.start", "status": 200}],
    "no-type": [ACCEPT, {"text": "x"}],
    "not-a-dict": [ACCEPT, "websocket.send"],
    "neither": [ACCEPT, {"type": "websocket.send"}],
    "both-none": [ACCEPT, {"type": "websocket.send", "text": None, "bytes": None}],
    "both-given": [ACCEPT, {"type": "websocket.send", "text": "x", "bytes": b"x"}],
    "text-is-bytes": [ACCEPT, {"type": "websocket.send", "text": b"x"}],
    "bytes-is-str": [ACCEPT, {"type": "websocket.send", "bytes": "x"}],
    "lone-surrogate": [ACCEPT, {"type": "websocket.send", "text": "\ud800"}],
    "code-is-str": [ACCEPT, {"type": "websocket.close", "code": "1000"}],
    "code-is-reserved": [ACCEPT, {"type": "websocket.close", "code": 1006}],
    "code-out-of-range": [ACCEPT, {"type": "websocket.close", "code": 70000}],
    "subprotocol-is-bytes": [{"type": "websocket.accept", "subprotocol": b"chat"}],
    "subprotocol-not-offered": [{"type": "websocket.accept", "subprotocol": "chat"}],
    "header-is-str": [{"type": "websocket.accept", "headers": [("a", "b")]}],
    "header-with-newline": [{"type": "websocket.accept", "headers": [(b"a", b"b\r\nc: d")]}],
    "header-subprotocol": [
        {"type": "websocket.accept", "headers": [(b"sec-websocket-protocol", b"chat")]}
    ],
    "deny-after-accept": [ACCEPT, {"type": "websocket.http.response.start", "status": 401}],
    "deny-body-first": [{"type": "websocket.http.response.body", "body": b""}],
}


async def wrong(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """/wrong/<case>/<key>: sends the case's messages; the last one should raise."""
    case, key = rest.split("/")
    await receive()
    *before, last = WRONG[case]
    for message in before:
        await send(message)
    REPORTS[key] = outcome(await raised_by(send, last))


async def empty_messages(scope: Any, receive: Any, send: Any, rest: str) -> None:
    await accept(receive, send)
    await send({"type": "websocket.send", "text": ""})
    await send({"type": "websocket.send", "bytes": b""})
    await send({"type": "websocket.send", "text": "both keys", "bytes": None})
    await send({"type": "websocket.send", "bytes": bytearray(b"array"), "text": None})


async def state(scope: Any, receive: Any, send: Any, rest: str) -> None:
    await accept(receive, send)
    await send({"type": "websocket.send", "text": json.dumps(scope.get("state"))})
