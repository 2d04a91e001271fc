"""HTTP paths of apps/probe.py: `/name/rest` calls `name(scope, receive, send, rest)`."""

import asyncio
import hashlib
import json
from typing import Any

from apps.reports import REPORTS, outcome, text

START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain")],
}


def body(data: bytes, more: bool = False) -> dict[str, Any]:
    """A response body message."""
    return {"type": "http.response.body", "body": data, "more_body": more}


async def raised_by(send: Any, message: Any) -> BaseException | None:
    """What sending raises."""
    try:
        await send(message)
    except Exception as error:
        return error
    return None


async def root(scope: Any, receive: Any, send: Any, rest: str) -> None:
    await text(send, "hello")


async def not_found(scope: Any, receive: Any, send: Any, rest: str) -> None:
    await text(send, "not found", 404)


async def scope(scope: Any, receive: Any, send: Any, rest: str) -> None:
    await text(send, repr(scope))


async def scope_types(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Exact types: the class names of the scope, its values and the parts of its first header."""
    types = {key: type(value).__name__ for key, value in scope.items()}
    types["scope itself"] = type(scope).__name__
    types["one header"] = type(scope["headers"][0]).__name__
    types["header parts"] = " ".join(type(part).__name__ for part in scope["headers"][0])
    types["client parts"] = " ".join(type(part).__name__ for part in scope["client"] or ())
    await text(send, json.dumps(types))


async def state(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Answers the state as it came, and then changes it."""
    seen = repr(scope.get("state"))
    if "state" in scope:
        scope["state"]["intruder"] = True
    await text(send, seen)


async def messages(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Answers the list of the request's messages."""
    seen = [await receive()]
    while seen[-1]["type"] == "http.request" and seen[-1].get("more_body"):
        seen.append(await receive())
    await text(send, repr(seen))


async def digest(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Takes the content in and answers its size, SHA-256 and largest piece."""
    total, largest, pieces, hasher = 0, 0, 0, hashlib.sha256()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            REPORTS[rest] = {"disconnected after": total}
            return
        data, more = message.get("body", b""), message.get("more_body", False)
        hasher.update(data)
        total, largest, pieces = total + len(data), max(largest, len(data)), pieces + 1
    answer = {"size": total, "sha256": hasher.hexdigest(), "largest": largest, "pieces": pieces}
    await text(send, json.dumps(answer))


async def echo(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Sends the content back piece by piece, while it still comes in."""
    await send(START)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
        await send(body(message.get("body", b""), more))


async def ignore_content(scope: Any, receive: Any, send: Any, rest: str) -> None:
    await text(send, "ignored")


async def status(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """/status/204: that status with a body, whatever the status."""
    headers = [(b"x-one", b"1"), (b"x-two", b"2"), (b"x-one", b"3")]
    await send({"type": "http.response.start", "status": int(rest), "headers": headers})
    await send(body(b"content"))


async def set_headers(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Sends the response headers that the query string names: name=value&name=value."""
    pairs = [pair.split(b"=", 1) for pair in scope["query_string"].split(b"&")]
    headers = [(name, value) for name, value in pairs]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send(body(b"four"))


async def chunks(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """/chunks/3: so many pieces, and an empty one at the end."""
    await send(START)
    for number in range(int(rest)):
        await send(body(f"piece {number}\n".encode(), more=True))
    await send(body(b""))


async def minimal(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Leaves out every optional key."""
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body"})


async def stepwise(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Sends a piece at once, and the rest when a piece of content has come."""
    await send(START)
    await send(body(b"first", more=True))
    await receive()
    await send(body(b"second"))


async def whole_length(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """/whole-length/1048576: that many bytes in one message."""
    await text(send, b"x" * int(rest))


async def download(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """/download/200/length or /download/200/chunked: so many MiB in 64 KiB pieces."""
    count, framing = rest.split("/")
    pieces, piece = int(count) * 16, b"0123456789abcdef" * 4096
    headers = []
    if framing == "length":
        headers.append((b"content-length", str(pieces * len(piece)).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in range(pieces):
        await send(body(piece, more=number + 1 < pieces))


async def stalled_download(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Sends without end and reports how much send() has taken; /stalled-download/<key>."""
    await send(START)
    taken = 0
    try:
        while True:
            await send(body(bytes(65536), more=True))
            taken += 65536
            REPORTS[rest] = taken
    except OSError as error:
        REPORTS[f"{rest}-end"] = outcome(error)


async def slow_reader(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Doesn't receive for a second, then takes everything."""
    await asyncio.sleep(1)
    await digest(scope, receive, send, rest)


async def sleep(scope: Any, receive: Any, send: Any, rest: str) -> None:
    await asyncio.sleep(float(rest))
    await text(send, "slept")


async def started_then_sleep(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Sends half a response, sleeps, sends the other half."""
    await send(START)
    await send(body(b"begin ", more=True))
    await asyncio.sleep(float(rest))
    await send(body(b"end"))


async def raise_before(scope: Any, receive: Any, send: Any, rest: str) -> None:
    raise LookupError("broken on purpose, before the response")


async def raise_after_start(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Nothing is on the wire before the first body message, so a 500 is still possible."""
    await send(START)
    raise LookupError("broken on purpose, after the head")


async def raise_in_body(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """/raise-in-body/length or /chunked: fails in the middle of the content."""
    headers = [(b"content-length", b"100")] if rest == "length" else []
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send(body(b"some", more=True))
    raise LookupError("broken on purpose, within the content")


async def raise_after_end(scope: Any, receive: Any, send: Any, rest: str) -> None:
    await text(send, "complete")
    raise LookupError("broken on purpose, after the response")


async def return_at_once(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Answers nothing."""


async def return_in_body(scope: Any, receive: Any, send: Any, rest: str) -> None:
    await send(START)
    await send(body(b"some", more=True))


async def too_short(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Announces 10 bytes and ends after 4, of which the first two go out at once."""
    headers = [(b"content-length", b"10")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send(body(b"ab", more=True))
    await send(body(b"cd"))


async def late_send(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Goes on sending when the response is complete."""
    await text(send, "complete")
    errors = [
        await raised_by(send, body(b"late", more=True)),
        await raised_by(send, START),
    ]
    await asyncio.sleep(0.2)
    errors.append(await raised_by(send, body(b"very late")))
    REPORTS[rest] = [outcome(error)["raised"] for error in errors]


async def receive_after_end(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """What receive() gives after the content, and after the response."""
    first = await receive()
    await text(send, "complete")
    second = await asyncio.wait_for(receive(), 5)
    third = await asyncio.wait_for(receive(), 5)
    REPORTS[rest] = [first["type"], second["type"], third["type"]]


async def background(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Works on when the response is complete."""
    await text(send, "accepted")
    await asyncio.sleep(0.3)
    REPORTS[rest] = "done"


async def watch_disconnect(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Answers nothing and waits for the client to go; /watch-disconnect/<key>."""
    REPORTS[f"{rest}-begun"] = True
    seen = []
    while not seen or seen[-1]["type"] != "http.disconnect":
        seen.append(await receive())
    REPORTS[rest] = [message["type"] for message in seen]


async def send_to_gone(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Sends when the client is known to have gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    REPORTS[f"{rest}-begun"] = True
    first = await raised_by(send, START)
    second = await raised_by(send, body(b"too late", more=True))
    third = await raised_by(send, body(b"later still"))
    REPORTS[rest] = [outcome(first), outcome(second), outcome(third)]


async def escape_to_gone(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Lets the exception of send() escape: no failure of the application's, so nothing to log."""
    await send(START)
    try:
        while True:
            await send(body(b"x" * 1000, more=True))
            await asyncio.sleep(0.01)
    finally:
        REPORTS[rest] = "left"


WRONG: dict[str, list[Any]] = {
    "body-before-start": [body(b"x")],
    "start-twice": [START, START],
    "unknown-type": [{"type": "http.nonsense"}],
    "other-protocol": [{"type": "websocket.accept"}],
    "no-type": [{"status": 200}],
    "type-is-bytes": [{"type": b"http.response.start", "status": 200}],
    "not-a-dict": ["http.response.start"],
    "none": [None],
    "no-status": [{"type": "http.response.start", "headers": []}],
    "status-is-str": [{"type": "http.response.start", "status": "200"}],
    "status-is-float": [{"type": "http.response.start", "status": 200.0}],
    "status-out-of-range": [{"type": "http.response.start", "status": 20}],
    "status-1000": [{"type": "http.response.start", "status": 1000}],
    "name-is-str": [{"type": "http.response.start", "status": 200, "headers": [("a", b"b")]}],
    "value-is-str": [{"type": "http.response.start", "status": 200, "headers": [(b"a", "b")]}],
    "value-is-bool": [{"type": "http.response.start", "status": 200, "headers": [(b"a", True)]}],
    "header-of-three": [
        {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b", b"c")]}
    ],
    "headers-is-int": [{"type": "http.response.start", "status": 200, "headers": 7}],
    "name-with-space": [
        {"type": "http.response.start", "status": 200, "headers": [(b"a b", b"c")]}
    ],
    "empty-name": [{"type": "http.response.start", "status": 200, "headers": [(b"", b"c")]}],
    "value-with-newline": [
        {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b\r\nx: y")]}
    ],
    "value-with-nul": [{"type": "http.response.start", "status": 200, "headers": [(b"a", b"\0")]}],
    "body-is-str": [START, {"type": "http.response.body", "body": "text"}],
    "too-long": [
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]},
        body(b"four"),
    ],
}


async def wrong(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """/wrong/<case>/<key>: sends the case's messages; the last one should raise."""
    case, key = rest.split("/")
    *before, last = WRONG[case]
    for message in before:
        await send(message)
    REPORTS[key] = outcome(await raised_by(send, last))


async def recover(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Catches what a wrong message raises, and answers properly after that."""
    for case in ("body-before-start", "unknown-type", "name-is-str", "status-is-str"):
        await raised_by(send, WRONG[case][0])
    await text(send, "recovered")


async def bytes_likes(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Frameworks send these too: bytearray, memoryview, lists for pairs, an iterator of headers."""
    headers = iter([[b"x-list", b"1"], (b"x-tuple", b"2")])
    await send({"type": "http.response.start", "status": 200, "headers": headers, "unknown": 1})
    await send({"type": "http.response.body", "body": bytearray(b"array "), "more_body": True})
    await send({"type": "http.response.body", "body": memoryview(b"view")})
