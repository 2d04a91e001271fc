"""FastAPI: what test_frameworks.py asks of every framework."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse

app = FastAPI()


@app.get("/hello", response_class=PlainTextResponse)
async def hello() -> str:
    return "hello yes"


@app.get("/sync", response_class=PlainTextResponse)
def in_thread() -> str:
    return str(threading.current_thread() is not threading.main_thread())


@app.post("/echo", response_class=PlainTextResponse)
async def echo(request: Request) -> bytes:
    return await request.body()


@app.get("/stream")
async def stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[str]:
        for number in range(3):
            yield f"part {number};"
            await asyncio.sleep(0.01)

    return StreamingResponse(parts())


@app.get("/stream-sync")
def stream_sync() -> StreamingResponse:
    def parts() -> Iterator[str]:
        for number in range(3):
            yield f"part {number};"

    return StreamingResponse(parts())


@app.get("/fail")
async def fail() -> None:
    raise ValueError("as asked")


@app.websocket("/socket")
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())
