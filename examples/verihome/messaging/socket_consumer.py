"""What the four consumers share: refusal, groups, greeting, frames in and out, ping and errors.

A subclass names its client frames in `actions` and its groups in `groups_to_join`.
"""

import json
import logging
from contextlib import suppress
from typing import Any, ClassVar

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from .frames import Frame
from .payload import RequestError, read_object, text_field

logger = logging.getLogger("messaging")


class SocketConsumer(AsyncWebsocketConsumer):
    welcome = "Connected"
    actions: ClassVar[dict[str, str]] = {}  # type of a client frame -> name of the method

    async def connect(self) -> None:
        self.user = self.scope["user"]
        allowed = settings.WEBSOCKET_ENABLED and self.user.is_authenticated
        if not allowed or not await self.may_enter():
            await self.close()  # before accept: the client sees HTTP 403
            return
        # Groups first: who has read the greeting misses nothing.
        for group in self.groups_to_join():
            await self.join(group)
        await self.accept()
        await self.send_frame(self.greeting())
        logger.info("%s opened by user %s", type(self).__name__, self.user.pk)

    async def may_enter(self) -> bool:
        return True

    def groups_to_join(self) -> list[str]:
        return []

    def greeting(self) -> Frame:
        return {
            "type": "connection_established",
            "message": self.welcome,
            "user_id": self.user.pk,
        }

    async def join(self, group: str) -> None:
        await self.channel_layer.group_add(group, self.channel_name)
        self.groups.append(group)  # Channels leaves these when the socket closes

    async def leave(self, group: str) -> None:
        await self.channel_layer.group_discard(group, self.channel_name)
        self.groups.remove(group)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            if text_data is None:
                raise RequestError("invalid_json", "Binary frames are not used here.")
            await self.handle(read_object(text_data))
        except RequestError as error:
            logger.info("user %s: %s", self.user.pk, error.code)
            await self.send_frame({"type": "error", "code": error.code, "message": error.message})

    async def handle(self, frame: Frame) -> None:
        kind = frame.get("type")
        if kind == "ping":
            timestamp = text_field(frame, "timestamp", blank=True)
            await self.send_frame({"type": "pong", "timestamp": timestamp})
        elif isinstance(kind, str) and kind in self.actions:
            await getattr(self, self.actions[kind])(frame)
        else:
            raise RequestError("unknown_type", "This type of frame is not known here.")

    async def push_frame(self, event: dict[str, Any]) -> None:
        """A frame from the channel layer, see delivery.py."""
        if event["except_user"] != self.user.pk:
            await self.send_frame(event["frame"])

    async def send_frame(self, frame: Frame) -> None:
        # OSError: the client has just left. Its websocket.disconnect is on the way.
        with suppress(OSError):
            await self.send(text_data=json.dumps(frame))
