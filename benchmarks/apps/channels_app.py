"""Django Channels without a database: consumers that echo, and one group for all.

WebSocket: ``/echo`` (text), ``/json`` (parsed and written again), ``/group``. The channel layer is
in memory, or Redis at ``CHANNELS_REDIS_URL``.
"""

from __future__ import annotations

import os
from typing import Any

import django
from django.conf import settings

URL = os.environ.get("CHANNELS_REDIS_URL")
LAYER: dict[str, Any] = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
if URL:
    LAYER = {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [URL]}}
settings.configure(
    SECRET_KEY="benchmark", ALLOWED_HOSTS=["*"], CHANNEL_LAYERS={"default": LAYER}, USE_TZ=True
)
django.setup()

from channels.generic.websocket import (  # noqa: E402
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
)
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.urls import path  # noqa: E402


class Echo(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Sends back what it receives."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Send the message back."""
        await self.send(text_data=text_data, bytes_data=bytes_data)


class JsonEcho(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """Sends back the JSON it receives."""

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Send the document back."""
        await self.send_json(content)


class Member(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Sends what it receives to every member of one group."""

    async def connect(self) -> None:
        """Join the group."""
        await self.channel_layer.group_add("benchmark", self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        """Leave the group."""
        await self.channel_layer.group_discard("benchmark", self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Hand the message to the group."""
        await self.channel_layer.group_send("benchmark", {"type": "deliver", "text": text_data})

    async def deliver(self, event: dict[str, Any]) -> None:
        """Send the group's message to this member."""
        await self.send(text_data=event["text"])


application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter(
            [
                path("echo", Echo.as_asgi()),
                path("json", JsonEcho.as_asgi()),
                path("group", Member.as_asgi()),
            ]
        ),
    }
)
