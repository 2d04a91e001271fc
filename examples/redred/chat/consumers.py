"""/ws/chat/room_<id>/: one private room of two.

A socket is in the room's group and in its user's own, which brings `chat_update` of all his rooms.
"""

from typing import Any, ClassVar

from channels.db import database_sync_to_async

from core.frames import Frame, make_frame, send_frames
from core.payload import RequestError, is_id, text_field
from core.socket_consumer import SocketConsumer

from . import services
from .models import ChatMessage

MAX_TEXT = 10_000  # characters of one message


def message_data(message: ChatMessage) -> dict[str, Any]:
    return {
        "id": message.pk,
        "room": message.room.name,
        "sender_id": message.sender_id,
        "sender_username": message.sender.get_username(),
        "message": message.text,
        "created_at": message.created_at.isoformat(),
        "is_read": message.read_at is not None,
    }


def updates_group(user_id: int) -> str:
    return f"chat_updates_user_{user_id}"


class ChatConsumer(SocketConsumer):
    actions: ClassVar = {
        "chat_message": "chat_message",
        "typing": "typing",
        "mark_read": "mark_read",
    }

    async def enter(self) -> bool:
        room_id = self.scope["url_route"]["kwargs"].get("room_id")
        if room_id is None:
            return False
        self.room = await database_sync_to_async(services.room_of)(self.user, int(room_id))
        if self.room is None:
            return False
        await database_sync_to_async(services.socket_opened)(self.user, self.room)
        return True

    @property
    def room_group(self) -> str:
        return f"chat_{self.room.name}"

    def groups_to_join(self) -> list[str]:
        return [self.room_group, updates_group(self.user.pk)]

    def greeting(self) -> dict[str, Any]:
        return {"room": self.room.name}

    async def joined(self) -> None:
        await self.tell_other("user_status", is_online=True)

    async def left(self) -> None:
        if await database_sync_to_async(services.socket_closed)(self.user, self.room):
            await self.tell_other("user_status", is_online=False)

    async def chat_message(self, data: dict[str, Any]) -> None:
        text = text_field(data, "message", limit=MAX_TEXT)
        message = await database_sync_to_async(services.create_message)(self.user, self.room, text)
        frame = make_frame("chat_message", message_data(message))
        await self.channel_layer.group_send(
            self.room_group, {"type": "push.chat_message", "frame": frame}
        )
        update = make_frame(
            "chat_update",
            {
                "room": self.room.name,
                "last_message": text,
                "last_sender_id": self.user.pk,
                "updated_at": message.created_at.isoformat(),
            },
        )
        for user_id in self.room.participants:
            await send_frames(updates_group(user_id), update)

    async def push_chat_message(self, event: dict[str, Any]) -> None:
        """A message from the room's group; tells its sender when it was handed to the other."""
        frame: Frame = event["frame"]
        await self.send_frame(frame)
        sender_id = frame["data"]["sender_id"]
        if sender_id != self.user.pk:
            delivered = {"message_id": frame["data"]["id"], "delivered_to": self.user.pk}
            frame = make_frame("message_delivered", delivered)
            await send_frames(self.room_group, frame, only_user=sender_id)

    async def typing(self, data: dict[str, Any]) -> None:
        is_typing = data.get("is_typing", True)
        if not isinstance(is_typing, bool):
            raise RequestError("invalid_payload", "is_typing must be true or false.")
        await self.tell_other("typing", is_typing=is_typing)

    async def mark_read(self, data: dict[str, Any]) -> None:
        ids = data.get("message_ids")
        if ids is not None and not (isinstance(ids, list) and all(map(is_id, ids))):
            raise RequestError("invalid_payload", "message_ids must be a list of whole numbers.")
        read = await database_sync_to_async(services.mark_read)(self.user, self.room, ids)
        if read:
            frame = make_frame("message_read", {"message_ids": read, "reader_id": self.user.pk})
            await send_frames(self.room_group, frame, except_user=self.user.pk)

    async def tell_other(self, type: str, **more: Any) -> None:
        data = {"user_id": self.user.pk, "username": self.user.get_username(), **more}
        await send_frames(self.room_group, make_frame(type, data), except_user=self.user.pk)
