"""HTTP paths of apps/probe.py: `/extension/name/rest` calls `name(scope, receive, send, rest)`."""

import asyncio
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from apps.http_paths import START, body, raised_by
from apps.reports import REPORTS, outcome, text

EARLY_HINT = "http.response.early_hint"
TRAILERS = "http.response.trailers"
PATHSEND = "http.response.pathsend"
ZEROCOPYSEND = "http.response.zerocopysend"

ANNOUNCED = {**START, "trailers": True}


def hint(*links: Any) -> dict[str, Any]:
    """An early hint message."""
    return {"type": EARLY_HINT, "links": links}


def trailers(*headers: Any, more: bool = False) -> dict[str, Any]:
    """A message with trailers."""
    return {"type": TRAILERS, "headers": headers, "more_trailers": more}


async def serve(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Calls the function that the first part of `rest` names."""
    name, _, rest = rest.partition("/")
    await globals()[name.replace("-", "_")](scope, receive, send, rest)


async def extensions(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Answers the scope's extensions as they came, and spoils them."""
    seen = repr(scope["extensions"])
    for value in scope["extensions"].values():
        value["intruder"] = True
    scope["extensions"]["intruder"] = {}
    await text(send, seen)


async def hints(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Two early hints, then waits for the content, then the response."""
    await send(hint(b"</style.css>; rel=preload; as=style", b" </app.js>; rel=preload "))
    await send({"type": EARLY_HINT, "links": iter([b"</late.js>; rel=preload"])})
    await send(hint())
    await receive()
    await text(send, "hinted")


async def hint_then_raise(scope: Any, receive: Any, send: Any, rest: str) -> None:
    await send(hint(b"</style.css>; rel=preload"))
    raise LookupError("broken on purpose, after the hint")


async def with_trailers(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """/with-trailers/one or /with-trailers/two: so many body messages, then trailers."""
    await send(ANNOUNCED)
    if rest == "two":
        await send(body(b"first ", more=True))
    await send(body(b"last"))
    await send(trailers((b"X-Sum", b"1"), (b"x-sum", b" 2 "), more=True))
    await send(trailers([b"server-timing", b"total;dur=3"]))


async def without_trailers(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Announces trailers and returns before they were sent."""
    await send(ANNOUNCED)
    await send(body(b"last"))


async def no_trailer_at_all(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Announces trailers and has none."""
    await send(ANNOUNCED)
    await send(body(b"last"))
    await send({"type": TRAILERS})


def pathsend(path: Any) -> dict[str, Any]:
    """A message with the path of the whole content."""
    return {"type": PATHSEND, "path": path}


def zerocopysend(file: Any, more: bool = False, **keys: Any) -> dict[str, Any]:
    """A message with a file or a descriptor."""
    return {"type": ZEROCOPYSEND, "file": file, "more_body": more, **keys}


def query_of(scope: Any) -> dict[str, str]:
    query = parse_qs(scope["query_string"].decode(), errors="surrogateescape")
    return {key: values[0] for key, values in query.items()}


async def path(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Sends the file ?path=; with ?length=, that is announced; /path/<key> notes how it ended."""
    query = query_of(scope)
    headers = [(b"content-length", query["length"].encode())] if "length" in query else []
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    REPORTS[rest] = outcome(await raised_by(send, pathsend(query["path"])))


async def path_status(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """/path-status/304: a file with a status that has no content."""
    await send({"type": "http.response.start", "status": int(rest)})
    await send(pathsend(__file__))


async def path_with_trailers(scope: Any, receive: Any, send: Any, rest: str) -> None:
    await send(ANNOUNCED)
    await send(pathsend(query_of(scope)["path"]))
    await send(trailers((b"x-sum", b"1")))


async def path_left_behind(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Gives up waiting for the file, and returns; it is sent all the same."""
    await send(START)
    sending = asyncio.ensure_future(send(pathsend(query_of(scope)["path"])))
    await asyncio.sleep(0.05)
    sending.cancel()


async def parts(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Parts of ?path= between others, from a file object, which is closed before the end."""
    await send(START)
    with Path(query_of(scope)["path"]).open("rb") as file:
        begin = file.read(3)  # reads ahead
        await send(body(begin, more=True))
        await send(zerocopysend(file, more=True, count=4))
        await send(body(b"|", more=True))
        await send(zerocopysend(file, more=True, offset=2, count=3))
        await send(body(b"|", more=True))
        await send(zerocopysend(file, more=True, offset=1 << 40))
        await send(zerocopysend(file, more=True, count=0))
        rest_of_it = asyncio.ensure_future(send(zerocopysend(file, more=True)))
        await asyncio.sleep(0)
    await rest_of_it
    await send(body(b"|end"))


async def descriptor(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """The rest of ?path= from a descriptor's position; notes where that is afterwards."""
    fd = os.open(query_of(scope)["path"], os.O_RDONLY)
    try:
        os.lseek(fd, 5, os.SEEK_SET)
        await send(START)
        await send(zerocopysend(fd))
        REPORTS[rest] = os.lseek(fd, 0, os.SEEK_CUR)
    finally:
        os.close(fd)


async def busy(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Messages while a file is being sent; the file arrives whole."""
    name = query_of(scope)["path"]
    await send(START)
    with Path(name).open("rb") as file:
        sending = asyncio.ensure_future(send(zerocopysend(file, more=True)))
        await asyncio.sleep(0.1)
        REPORTS[rest] = [
            sending.done(),
            outcome(await raised_by(send, body(b"intruder", more=True)))["raised"],
            outcome(await raised_by(send, zerocopysend(file)))["raised"],
            outcome(await raised_by(send, pathsend(name)))["raised"],
        ]
        await sending
    await send(body(b"end"))


async def receive_after_path(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """Listens while the file is being sent."""
    await receive()
    listening = asyncio.ensure_future(receive())
    await send(START)
    await send(pathsend(query_of(scope)["path"]))
    REPORTS[rest] = (await asyncio.wait_for(listening, 5))["type"]


LENGTH_5 = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]}

WRONG: dict[str, list[Any]] = {
    "hint-after-start": [START, hint(b"</a>")],
    "hint-after-end": [START, body(b"x"), hint(b"</a>")],
    "hint-without-links": [{"type": EARLY_HINT}],
    "hint-links-is-int": [{"type": EARLY_HINT, "links": 7}],
    "hint-link-is-str": [hint("</a>")],
    "hint-link-is-empty": [hint(b" ")],
    "hint-link-with-newline": [hint(b"</a>\r\nx: y")],
    "trailers-before-start": [trailers((b"a", b"b"))],
    "trailers-before-body": [ANNOUNCED, trailers((b"a", b"b"))],
    "trailers-within-body": [ANNOUNCED, body(b"x", more=True), trailers((b"a", b"b"))],
    "trailers-not-announced": [START, body(b"x"), trailers((b"a", b"b"))],
    "trailers-twice": [ANNOUNCED, body(b"x"), trailers(), trailers()],
    "body-after-last": [ANNOUNCED, body(b"x"), body(b"y")],
    "start-after-body": [ANNOUNCED, body(b"x"), START],
    "trailer-content-length": [ANNOUNCED, body(b"x"), trailers((b"Content-Length", b"9"))],
    "trailer-set-cookie": [ANNOUNCED, body(b"x"), trailers((b"set-cookie", b"a=b"))],
    "trailer-with-newline": [ANNOUNCED, body(b"x"), trailers((b"a", b"b\r\nx: y"))],
    "trailer-is-str": [ANNOUNCED, body(b"x"), trailers(("a", "b"))],
    "path-before-start": [pathsend(__file__)],
    "path-missing": [START, {"type": PATHSEND}],
    "path-is-bytes": [START, pathsend(__file__.encode())],
    "path-is-empty": [START, pathsend("")],
    "path-is-no-unicode": [START, pathsend("/etc/\ud800")],
    "path-with-nul": [START, pathsend("/etc/\0hostname")],
    "path-is-not-there": [START, pathsend("/no/such/file")],
    "path-is-a-folder": [START, pathsend("/etc")],
    "path-is-a-device": [START, pathsend("/dev/zero")],
    "path-after-body": [START, body(b"x", more=True), pathsend(__file__)],
    "path-after-end": [START, body(b"x"), pathsend(__file__)],
    "path-twice": [START, pathsend(__file__), pathsend(__file__)],
    "path-too-long": [LENGTH_5, pathsend(__file__)],
    "path-too-short": [
        {**LENGTH_5, "headers": [(b"content-length", b"1000000")]},
        pathsend(__file__),
    ],
    "file-before-start": [zerocopysend(0)],
    "file-missing": [START, {"type": ZEROCOPYSEND}],
    "file-is-str": [START, zerocopysend(__file__)],
    "file-is-closed": [START, zerocopysend(1 << 20)],
    "file-is-negative": [START, zerocopysend(-1)],
    "file-is-a-pipe": [START, zerocopysend(os.pipe()[0])],
    "file-cannot-be-read": [START, zerocopysend(os.open(os.devnull, os.O_WRONLY))],
    "offset-is-negative": [START, zerocopysend(0, offset=-1)],
    "offset-is-str": [START, zerocopysend(0, offset="1")],
    "count-is-negative": [START, zerocopysend(0, count=-1)],
    "count-is-float": [START, zerocopysend(0, count=1.5)],
    "file-after-path": [START, pathsend(__file__), zerocopysend(0)],
    "debug": [{"type": "http.response.debug", "info": {}}],
}


async def wrong(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """/wrong/<case>/<key>: sends the case's messages; the last one should raise."""
    case, key = rest.split("/")
    *before, last = WRONG[case]
    for message in before:
        await send(message)
    REPORTS[key] = outcome(await raised_by(send, last))


async def unavailable(scope: Any, receive: Any, send: Any, rest: str) -> None:
    """What using extensions raises, whether they were announced or not; /unavailable/<key>."""
    REPORTS[rest] = [
        outcome(await raised_by(send, hint(b"</a>"))),
        outcome(await raised_by(send, ANNOUNCED)),
        outcome(await raised_by(send, trailers())),
    ]
    await text(send, "recovered")
