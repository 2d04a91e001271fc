"""python-socketio's server with what its documentation shows: rooms, acknowledgements, bytes."""

import asyncio
from typing import Any

import socketio

sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")


@sio.event
async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
    if auth == "wrong":
        raise socketio.exceptions.ConnectionRefusedError("wrong password")
    await sio.save_session(sid, {"auth": auth, "path": environ["PATH_INFO"]})
    await sio.emit("welcome", {"auth": auth}, to=sid)


@sio.event
async def echo(sid: str, data: Any) -> Any:
    return "acknowledged", data


@sio.event
async def join(sid: str, room: str) -> None:
    await sio.enter_room(sid, room)
    await sio.emit("joined", room, room=room)


@sio.event
async def session(sid: str) -> Any:
    return await sio.get_session(sid)


@sio.event
async def count(sid: str, to: int) -> None:
    for number in range(to):
        await sio.emit("number", number, to=sid)
        await asyncio.sleep(0)


@sio.event
async def leave(sid: str) -> None:
    await sio.disconnect(sid)


app = socketio.ASGIApp(sio)
