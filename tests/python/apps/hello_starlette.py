"""Starlette: what test_frameworks.py asks of every framework."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

done: list[str] = []


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    yield {"started": "yes"}


async def hello(request: Request) -> Response:
    return PlainTextResponse(f"hello {request.state.started}")


def in_thread(request: Request) -> Response:
    return PlainTextResponse(str(threading.current_thread() is not threading.main_thread()))


async def echo(request: Request) -> Response:
    return Response(await request.body(), background=BackgroundTask(done.append, "echo"))


async def background(request: Request) -> Response:
    return PlainTextResponse(" ".join(done))


async def stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[str]:
        for number in range(3):
            yield f"part {number};"
            await asyncio.sleep(0.01)

    return StreamingResponse(parts())


async def stream_sync(request: Request) -> Response:
    def parts() -> Iterator[str]:
        for number in range(3):
            yield f"part {number};"

    return StreamingResponse(parts())


async def fail(request: Request) -> Response:
    raise ValueError("as asked")


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())


app = Starlette(
    routes=[
        Route("/hello", hello),
        Route("/sync", in_thread),
        Route("/echo", echo, methods=["POST"]),
        Route("/background", background),
        Route("/stream", stream),
        Route("/stream-sync", stream_sync),
        Route("/fail", fail),
        WebSocketRoute("/socket", socket),
    ],
    lifespan=lifespan,
)
