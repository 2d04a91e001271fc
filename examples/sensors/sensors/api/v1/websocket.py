"""The WebSockets, open and with a token, and what can be asked and tried about them over HTTP."""

import asyncio
import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, BackgroundTasks, HTTPException, Request, WebSocket
from pydantic import BaseModel, Field

from ...core.events import EventEmitter
from ...core.users import user_of_token
from ...core.websocket_manager import CHANNELS, Connection, Frame, WebSocketManager, now

router = APIRouter(prefix="/ws", tags=["websocket"])


@router.websocket("")
async def open_to_all(websocket: WebSocket, channel: str = "general") -> None:
    await serve(websocket, channel)


@router.websocket("/secure")
async def secure(websocket: WebSocket, token: str = "", channel: str = "general") -> None:
    if user_of_token(websocket.app.state.users, token) is None:
        await websocket.close()  # before accept: the client sees HTTP 403
        return
    await serve(websocket, channel)


async def serve(websocket: WebSocket, channel: str) -> None:
    if channel not in CHANNELS:
        await websocket.close()
        return
    manager: WebSocketManager = websocket.app.state.manager
    await websocket.accept()
    connection = Connection(websocket, channel)
    # On the list before the first frame leaves: who has read that one misses nothing. Frames keep
    # their order, so no event comes before these two.
    manager.add(connection)
    try:
        greeting = {"type": "connection", "status": "connected", "channel": channel}
        await asyncio.gather(
            connection.send({**greeting, "timestamp": now()}),
            connection.send(stats_frame(manager, channel)),
        )
        while (message := await websocket.receive())["type"] != "websocket.disconnect":
            await connection.send(answer(message.get("text"), manager, channel))
    finally:
        manager.remove(connection)


def stats_frame(manager: WebSocketManager, channel: str) -> Frame:
    return {"type": "stats", "channel": channel, "stats": manager.stats(), "timestamp": now()}


def answer(text: str | None, manager: WebSocketManager, channel: str) -> Frame:
    """Return the frame that answers a client's message; None stands for a binary one."""
    if text is None:
        return error("invalid_json", "Binary frames are not used here.")
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return error("invalid_json", "This is not JSON.")
    if not isinstance(frame, dict):
        return error("invalid_json", "A JSON object is expected.")
    match frame.get("type"):
        case "ping":
            return {"type": "pong", "timestamp": now()}
        case "get_stats":
            return stats_frame(manager, channel)
    return error("unknown_type", "This type of frame is not known here.")


def error(code: str, message: str) -> Frame:
    return {"type": "error", "code": code, "message": message}


@router.get("/stats")
async def stats(request: Request) -> dict[str, Any]:
    return request.app.state.manager.stats()


@router.get("/stats/{channel}")
async def channel_stats(request: Request, channel: str) -> dict[str, Any]:
    if channel not in CHANNELS:
        raise HTTPException(404, "No such channel.")
    return {"channel": channel, "connections": request.app.state.manager.count(channel)}


class TestEvent(BaseModel):
    channel: Literal[CHANNELS] = "general"
    message: Annotated[str, Field(max_length=10_000)] = "test"
    delay_ms: Annotated[int, Field(ge=0, le=5000)] = 0


@router.post("/test-event")
async def test_event(
    request: Request, event: TestEvent, background: BackgroundTasks
) -> dict[str, str]:
    background.add_task(send_later, request.app.state.emitter, event)
    return {"status": "sent", "channel": event.channel}


async def send_later(emitter: EventEmitter, event: TestEvent) -> None:
    await asyncio.sleep(event.delay_ms / 1000)
    await emitter.emit_system("test", event.channel, {"message": event.message})
