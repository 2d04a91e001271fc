"""FastAPI: ``GET /`` answers JSON, WebSocket ``/ws`` echoes text."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

application = FastAPI()


@application.get("/")
async def hello() -> dict[str, Any]:
    """Answer a small document."""
    return {"message": "Hello, world!"}


@application.websocket("/ws")
async def echo(websocket: WebSocket) -> None:
    """Echo text until the client leaves."""
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass
