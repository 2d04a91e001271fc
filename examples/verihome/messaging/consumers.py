"""The four WebSocket routes. One consumer object lives as long as its socket, on the event loop."""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from channels.db import database_sync_to_async

from . import delivery, frames, services
from .frames import Frame
from .payload import MAX_CONTENT, RequestError, is_text, text_field
from .socket_consumer import SocketConsumer
from .stats import stats


class TypingAndReading(SocketConsumer):
    """What both messaging routes can do."""

    async def notify_typing(self, thread_id: str, frame: Frame) -> None:
        await delivery.send_typing(self.user, thread_id, frame["type"] == "typing_start")

    async def mark_read(self, message_id: str) -> None:
        message = await database_sync_to_async(services.mark_message_read)(self.user, message_id)
        if message is not None:
            await delivery.send_receipt(message, self.user)


class MessageConsumer(TypingAndReading):
    """/ws/messaging/: everything that concerns one user, whatever the thread."""

    welcome = "Connected to messaging"
    actions: ClassVar = {
        "mark_as_read": "mark_as_read",
        "typing_start": "typing",
        "typing_stop": "typing",
        "join_conversation": "join_conversation",
        "leave_conversation": "leave_conversation",
    }

    def groups_to_join(self) -> list[str]:
        return [delivery.user_group(self.user.pk)]

    async def mark_as_read(self, frame: Frame) -> None:
        await self.mark_read(text_field(frame, "message_id"))

    async def typing(self, frame: Frame) -> None:
        await self.notify_typing(await self.own_thread(frame), frame)

    async def join_conversation(self, frame: Frame) -> None:
        thread_id = await self.own_thread(frame)
        if delivery.conversation_group(thread_id) not in self.groups:
            await self.join(delivery.conversation_group(thread_id))
        await self.send_frame({"type": "conversation_joined", "thread_id": thread_id})

    async def leave_conversation(self, frame: Frame) -> None:
        thread_id = text_field(frame, "thread_id")
        if delivery.conversation_group(thread_id) in self.groups:
            await self.leave(delivery.conversation_group(thread_id))
        await self.send_frame({"type": "conversation_left", "thread_id": thread_id})

    async def own_thread(self, frame: Frame) -> str:
        thread_id = text_field(frame, "thread_id")
        if not await database_sync_to_async(services.is_participant)(self.user, thread_id):
            raise RequestError("forbidden", "You are not in this thread.")
        return thread_id


class ThreadConsumer(TypingAndReading):
    """/ws/messaging/thread/<id>/: one open conversation."""

    welcome = "Connected to the thread"
    actions: ClassVar = {
        "send_message": "send_message",
        "typing_start": "typing",
        "typing_stop": "typing",
        "mark_messages_read": "mark_messages_read",
    }

    async def may_enter(self) -> bool:
        self.thread_id = self.scope["url_route"]["kwargs"]["thread_id"]
        return await database_sync_to_async(services.is_participant)(self.user, self.thread_id)

    def groups_to_join(self) -> list[str]:
        return [delivery.thread_group(self.thread_id)]

    def greeting(self) -> Frame:
        return {**super().greeting(), "thread_id": self.thread_id}

    async def send_message(self, frame: Frame) -> None:
        content = text_field(frame, "content", limit=MAX_CONTENT)
        message = await database_sync_to_async(services.create_message)(
            self.user, self.thread_id, content
        )
        await delivery.send_message(message)

    async def typing(self, frame: Frame) -> None:
        await self.notify_typing(self.thread_id, frame)

    async def mark_messages_read(self, frame: Frame) -> None:
        message_ids = frame.get("message_ids")
        if not isinstance(message_ids, list) or not all(map(is_text, message_ids)):
            raise RequestError("invalid_payload", "message_ids must be a list of strings.")
        for message_id in message_ids:
            await self.mark_read(message_id)


class NotificationConsumer(SocketConsumer):
    """/ws/notifications/: what the staff announces to one user or to all."""

    welcome = "Connected to notifications"
    actions: ClassVar = {"mark_as_read": "mark_as_read"}

    def groups_to_join(self) -> list[str]:
        return [delivery.notifications_group(self.user.pk), delivery.NOTIFICATIONS_ALL]

    async def mark_as_read(self, frame: Frame) -> None:
        notification_id = text_field(frame, "notification_id")
        await database_sync_to_async(services.mark_notification_read)(self.user, notification_id)
        await self.send_frame(
            {"type": "notification_marked_read", "notification_id": notification_id}
        )


class UserStatusConsumer(SocketConsumer):
    """/ws/user-status/: who is online. A user is, while any such socket of his is open."""

    welcome = "Connected to user status"
    actions: ClassVar = {"heartbeat": "heartbeat"}
    is_counted = False

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        # disconnect() is skipped when a handler raised, and the count would stay.
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.closed()

    async def disconnect(self, code: int) -> None:
        # Already here: channels_redis now and then overlooks that Channels, at the end of the call
        # above, cancels its waiting for messages.
        await self.closed()

    @staticmethod
    def realtime_stats() -> dict[str, Any]:
        return stats.snapshot()

    def groups_to_join(self) -> list[str]:
        return [delivery.USER_STATUS]

    async def connect(self) -> None:
        await super().connect()
        if not self.groups:
            return  # refused
        now = await database_sync_to_async(services.presence_opened)(self.user)
        self.is_counted = True
        stats.count_status_socket(+1)
        await delivery.send_status(frames.user_status_update(self.user, True, now))

    async def closed(self) -> None:
        if not self.is_counted:
            return
        self.is_counted = False
        stats.count_status_socket(-1)
        now, is_last = await database_sync_to_async(services.presence_closed)(self.user)
        if is_last:
            await delivery.send_status(frames.user_status_update(self.user, False, now))

    async def heartbeat(self, frame: Frame) -> None:
        timestamp = text_field(frame, "timestamp", blank=True)
        await database_sync_to_async(services.presence_seen)(self.user)
        await self.send_frame({"type": "heartbeat_ack", "timestamp": timestamp})
