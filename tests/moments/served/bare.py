"""Applications without Django: raw ASGI for both protocols, and Starlette's responses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, StreamingResponse

from served.ledger import Visit, file_of

PARTS = 4


def visit_of(scope: Any) -> Visit:
    return Visit.of(scope["path"], scope["query_string"])


async def raw(scope: Any, receive: Any, send: Any) -> None:
    """Reads the whole request, then sends parts; nobody listens meanwhile."""
    visit = visit_of(scope)
    visit.note("begun")
    try:
        while (message := await receive())["type"] == "http.request" and message["more_body"]:
            pass
        if message["type"] == "http.disconnect":
            return
        await visit.apause("before")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(PARTS):
            part = b"x" * (visit.size // PARTS)
            await send({"type": "http.response.body", "body": part, "more_body": True})
            if number == 0:
                await visit.apause("during")
        await send({"type": "http.response.body"})
    finally:
        await clean_up(visit)


async def raw_websocket(scope: Any, receive: Any, send: Any) -> None:
    """Accepts, and answers each message with several."""
    visit = visit_of(scope)
    visit.note("begun")
    try:
        await receive()
        await visit.apause("connecting")
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            await visit.apause("before")
            for number in range(PARTS):
                await send({"type": "websocket.send", "text": str(number)})
                if number == 0:
                    await visit.apause("during")
    finally:
        await clean_up(visit)


async def clean_up(visit: Visit) -> None:
    try:
        await visit.apause("cleanup")
    finally:
        visit.note("ended")


async def starlette_stream(scope: Any, receive: Any, send: Any) -> None:
    """Starlette's StreamingResponse, whose generator may be closed early."""
    visit = visit_of(scope)
    try:
        await Request(scope, receive).body()
        await visit.apause("before")
        await StreamingResponse(parts(visit))(scope, receive, send)
    except ClientDisconnect:
        visit.note("ClientDisconnect")  # what Starlette raises for a client that left


async def parts(visit: Visit) -> AsyncIterator[bytes]:
    visit.note("generator")
    try:
        for number in range(PARTS):
            yield b"x" * (visit.size // PARTS)
            if number == 0:
                await visit.apause("during")
    finally:
        try:
            await visit.apause("cleanup")
        finally:
            visit.note("generator closed")


async def starlette_file(scope: Any, receive: Any, send: Any) -> None:
    """Starlette's FileResponse, with a background task for what comes after it."""
    visit = visit_of(scope)
    await visit.apause("before")
    after = BackgroundTask(visit.apause, "cleanup")
    await FileResponse(file_of(visit.size), background=after)(scope, receive, send)
