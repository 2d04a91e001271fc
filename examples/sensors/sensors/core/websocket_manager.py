"""The open sockets by channel: counts and broadcasts. One object for the process, on its loop."""

import asyncio
import json
from contextlib import suppress
from datetime import datetime
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

Frame = dict[str, Any]

CHANNELS = ("sensors", "readings", "general")


def now() -> str:
    """Return the local time, as ISO 8601 without offset."""
    return datetime.now().isoformat()


class Connection:
    """One socket. Frames leave in the order in which `send` was called."""

    def __init__(self, websocket: WebSocket, channel: str) -> None:
        self.channel = channel
        self._websocket = websocket
        self._turn = asyncio.Lock()  # first come, first served

    async def send(self, frame: Frame) -> None:
        # Who has just left gets nothing more; the endpoint's receive says so in a moment.
        with suppress(WebSocketDisconnect, RuntimeError, OSError):
            async with self._turn:
                await self._websocket.send_text(json.dumps(frame))

    async def close(self, code: int) -> None:
        with suppress(WebSocketDisconnect, RuntimeError, OSError):
            await self._websocket.close(code)


class WebSocketManager:
    def __init__(self) -> None:
        self._connections: dict[str, set[Connection]] = {channel: set() for channel in CHANNELS}

    def add(self, connection: Connection) -> None:
        self._connections[connection.channel].add(connection)

    def remove(self, connection: Connection) -> None:
        self._connections[connection.channel].discard(connection)

    def count(self, channel: str) -> int:
        return len(self._connections[channel])

    def stats(self) -> dict[str, Any]:
        channels = {channel: self.count(channel) for channel in CHANNELS}
        return {"total_connections": sum(channels.values()), "channels": channels}

    async def broadcast(self, channel: str, frame: Frame) -> None:
        """Send to everybody on a channel; a slow reader keeps nobody else waiting."""
        await asyncio.gather(*(socket.send(frame) for socket in self._connections[channel]))

    async def close_all(self, code: int) -> None:
        everybody = [socket for sockets in self._connections.values() for socket in sockets]
        await asyncio.gather(*(socket.close(code) for socket in everybody))
