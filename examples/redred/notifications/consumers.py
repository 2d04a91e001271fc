"""/ws/notifications/: what happens to one user, for as long as he is online."""

from typing import Any, ClassVar

from channels.db import database_sync_to_async

from core.frames import make_frame
from core.payload import id_field
from core.socket_consumer import SocketConsumer

from . import delivery, services


class NotificationConsumer(SocketConsumer):
    actions: ClassVar = {"mark_read": "mark_read", "mark_all_read": "mark_all_read"}

    def groups_to_join(self) -> list[str]:
        return [delivery.group_of(self.user.pk)]

    async def joined(self) -> None:
        unread = await database_sync_to_async(delivery.count_unread)(self.user.pk)
        await self.send_frame(make_frame("unread_count", {"count": unread}))

    async def mark_read(self, data: dict[str, Any]) -> None:
        notification_id = id_field(data, "notification_id")
        unread = await database_sync_to_async(services.mark_read)(self.user, notification_id)
        data = {"notification_id": notification_id}
        await delivery.send_with_count(self.user.pk, "notification_read", data, unread)

    async def mark_all_read(self, data: dict[str, Any]) -> None:
        unread = await database_sync_to_async(services.mark_all_read)(self.user)
        await delivery.send_with_count(self.user.pk, "mark_all_read", {}, unread)
