"""The frames about notifications, to group `notifications_<user id>`: all of a user's sockets.

The count of unread ones travels with what changed it, so that no other frame comes between.
"""

from typing import Any

from core.frames import make_frame, send_frames

from .models import Notification


def group_of(user_id: int) -> str:
    return f"notifications_{user_id}"


def data_of(item: Notification) -> dict[str, Any]:
    return {
        "id": item.pk,
        "notification_type": item.notification_type,
        "message": item.message,
        "from_user": {"id": item.from_user_id, "username": item.from_user.get_username()},
        "priority": item.priority,
        "created_at": item.created_at.isoformat(),
        "is_read": item.read_at is not None,
    }


def unread_of(user_id: int):
    return Notification.objects.filter(recipient_id=user_id, read_at=None)


def count_unread(user_id: int) -> int:
    return unread_of(user_id).count()


async def send_with_count(user_id: int, type: str, data: dict[str, Any], unread: int) -> None:
    count = make_frame("unread_count", {"count": unread})
    await send_frames(group_of(user_id), make_frame(type, data), count)
