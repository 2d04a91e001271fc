"""Quart: what test_frameworks.py asks of every framework."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

from quart import Quart, request, websocket

app = Quart(__name__)
started = "no"


@app.before_serving
async def start() -> None:
    global started
    started = "yes"


@app.get("/hello")
async def hello() -> str:
    return f"hello {started}"


@app.get("/sync")
def in_thread() -> str:
    return str(threading.current_thread() is not threading.main_thread())


@app.post("/echo")
async def echo() -> bytes:
    data: bytes = await request.get_data()
    return data


@app.get("/stream")
async def stream() -> AsyncIterator[str]:
    async def parts() -> AsyncIterator[str]:
        for number in range(3):
            yield f"part {number};"
            await asyncio.sleep(0.01)

    return parts()


@app.get("/stream-sync")
async def stream_sync() -> Iterator[str]:
    def parts() -> Iterator[str]:
        for number in range(3):
            yield f"part {number};"

    return parts()


@app.get("/fail")
async def fail() -> str:
    raise ValueError("as asked")


@app.websocket("/socket")
async def socket() -> None:
    while True:
        text = await websocket.receive()
        await websocket.send(text.upper())
