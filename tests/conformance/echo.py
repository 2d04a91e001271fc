"""The application that Autobahn's fuzzing client talks to: every message goes back as it came."""

from typing import Any


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Echoes WebSocket messages; knows nothing else."""
    if scope["type"] != "websocket":
        raise RuntimeError("this application speaks WebSocket only")
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
