"""Litestar: what test_frameworks.py asks of every framework."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from litestar import Litestar, MediaType, Request, get, post
from litestar.handlers import websocket_listener
from litestar.response import Stream

started = "no"


async def start() -> None:
    global started
    started = "yes"


@get("/hello", media_type=MediaType.TEXT)
async def hello() -> str:
    return f"hello {started}"


@get("/sync", media_type=MediaType.TEXT, sync_to_thread=True)
def in_thread() -> str:
    return str(threading.current_thread() is not threading.main_thread())


@post("/echo", media_type=MediaType.TEXT, status_code=200)
async def echo(request: Request[Any, Any, Any]) -> bytes:
    return await request.body()


@get("/stream")
async def stream() -> Stream:
    async def parts() -> AsyncIterator[str]:
        for number in range(3):
            yield f"part {number};"
            await asyncio.sleep(0.01)

    return Stream(parts())


@get("/stream-sync")
async def stream_sync() -> Stream:
    def parts() -> Iterator[str]:
        for number in range(3):
            yield f"part {number};"

    return Stream(parts())


@get("/fail")
async def fail() -> None:
    raise ValueError("as asked")


@websocket_listener("/socket")
async def socket(data: str) -> str:
    return data.upper()


app = Litestar([hello, in_thread, echo, stream, stream_sync, fail, socket], on_startup=[start])
