"""The two WebSocket routes: the conversation about an ad, and the one with the support."""

import logging
import time
from collections import deque
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings

from . import services
from .models import ChatRoom
from .payload import RequestError, read_object, text_field

logger = logging.getLogger("main")

MAX_MESSAGE = 5000  # characters
RATE_PERIOD = 10  # seconds, see CHAT_RATE_LIMIT

Frame = dict[str, Any]


class ChatConsumer(AsyncJsonWebsocketConsumer):
    """What both routes share; a subclass finds the room."""

    async def connect(self) -> None:
        self.user = self.scope["user"]
        try:
            if not self.user.is_authenticated:
                raise RequestError("forbidden", "Please log in.")
            self.room = await database_sync_to_async(self.find_room)()
        except RequestError:
            await self.close()  # before accept: the client sees HTTP 403
            return
        self.sent = deque(maxlen=max(settings.CHAT_RATE_LIMIT, 0))  # times of the last messages
        # The group first: who has read the history misses nothing.
        await self.channel_layer.group_add(self.room.group, self.channel_name)
        self.groups.append(self.room.group)  # Channels leaves it when the socket closes
        await self.accept()
        messages = await database_sync_to_async(services.history)(self.room)
        await self.send_frame({"type": "history", "messages": messages})

    def find_room(self) -> ChatRoom:
        raise NotImplementedError

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        try:
            if text_data is None:
                raise RequestError("invalid_json", "Binary frames are not used here.")
            await self.receive_json(read_object(text_data))
        except RequestError as error:
            logger.info("user %s: %s", self.user.pk, error.code)
            await self.send_frame({"type": "error", "code": error.code, "message": error.message})

    async def receive_json(self, content: Frame, **kwargs: Any) -> None:
        match content.get("type"):
            case "message":
                await self.message(content)
            case "typing":
                await self.typing()
            case _:
                raise RequestError("unknown_type", "This type of frame is not known here.")

    async def message(self, content: Frame) -> None:
        text = text_field(content, "message", limit=MAX_MESSAGE)
        self.check_rate()
        data = await database_sync_to_async(services.add_message)(self.user, self.room, text)
        await self.push({"type": "message", **data})

    async def typing(self) -> None:
        user_name = services.display_name(self.user)
        frame = {"type": "typing", "user_id": self.user.pk, "user_name": user_name}
        await self.push(frame, except_user=self.user.pk)

    def check_rate(self) -> None:
        if not self.sent.maxlen:
            return
        now = time.monotonic()
        if len(self.sent) == self.sent.maxlen and now - self.sent[0] < RATE_PERIOD:
            raise RequestError("rate_limited", "Please wait a moment.")
        self.sent.append(now)

    async def push(self, frame: Frame, except_user: int | None = None) -> None:
        event = {"type": "chat.frame", "frame": frame, "except_user": except_user}
        await self.channel_layer.group_send(self.room.group, event)

    async def chat_frame(self, event: dict[str, Any]) -> None:
        """A frame from the room's group."""
        if event["except_user"] != self.user.pk:
            await self.send_frame(event["frame"])

    async def send_frame(self, frame: Frame) -> None:
        # OSError: the client has just left. Its websocket.disconnect is on the way.
        with suppress(OSError):
            await self.send_json(frame)


class AdChatConsumer(ChatConsumer):
    """/ws/chat/ad/<ad_id>/: a client with the ad's publisher, who adds ?client_id=<user id>."""

    def find_room(self) -> ChatRoom:
        query = parse_qs(self.scope["query_string"].decode("latin-1"))
        client_id = query.get("client_id", [""])[-1]
        ad_id = services.read_id(self.scope["url_route"]["kwargs"]["ad_id"])
        return services.ad_room(self.user, ad_id, client_id)


class SupportChatConsumer(ChatConsumer):
    """/ws/chat/support/publisher_<id>/: a publisher with the staff."""

    def find_room(self) -> ChatRoom:
        return services.support_room(self.user, self.scope["url_route"]["kwargs"]["room_name"])
