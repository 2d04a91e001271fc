"""The site of the rough day: short and long answers that tell their process, and a room on Redis.

Wants served.settings with MOMENTS_REDIS. /block is how an operator's worst day begins.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any
from urllib.parse import parse_qs

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "served.settings")
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402

PID = str(os.getpid())
GROUP = "rough-day"
EVENTS = 25
PERIOD = 0.2  # seconds between two events


class Room(AsyncWebsocketConsumer):
    """Tells its process, echoes, and passes on what begins with "all "."""

    async def connect(self) -> None:
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()
        await self.send(text_data=PID)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        assert text_data is not None
        if text_data.startswith("all "):
            await self.channel_layer.group_send(GROUP, {"type": "tell", "text": text_data})
        else:
            await self.send(text_data=text_data)

    async def tell(self, event: dict[str, str]) -> None:
        await self.send(text_data=event["text"])

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(GROUP, self.channel_name)


room = Room.as_asgi()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Does what the path says."""
    if scope["type"] == "lifespan":
        raise ValueError("no lifespan")
    if scope["type"] == "websocket":
        await room(scope, receive, send)
    elif scope["path"] == "/events":
        await events(send)
    elif scope["path"] == "/block":
        time.sleep(100_000)
    else:
        wanted = parse_qs(scope["query_string"].decode())
        await asyncio.sleep(float(wanted.get("sleep", ["0"])[0]))
        await answer(send, PID.encode())


async def answer(send: Any, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def events(send: Any) -> None:
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for _ in range(EVENTS):
        event = f"data: {PID}\n\n".encode()
        await send({"type": "http.response.body", "body": event, "more_body": True})
        await asyncio.sleep(PERIOD)
    await send({"type": "http.response.body", "body": b""})
