"""The frames that clients receive, built from the models; the JSON API gives the same objects."""

from datetime import datetime
from typing import Any

from .models import Message, Notification

Frame = dict[str, Any]


def display_name(user) -> str:
    return user.get_full_name() or user.get_username()


def message_object(message: Message) -> Frame:
    return {
        "id": message.id,
        "content": message.content,
        "sender_id": message.sender_id,
        "sender_name": display_name(message.sender),
        "thread_id": message.thread_id,
        "sent_at": message.sent_at.isoformat(),
        "is_read": message.read_at is not None,
    }


def new_message(message: Message) -> Frame:
    return {"type": "new_message", "message": message_object(message)}


def message_read_receipt(message: Message, reader) -> Frame:
    return {
        "type": "message_read_receipt",
        "message_id": message.id,
        "thread_id": message.thread_id,
        "read_by": display_name(reader),
        "read_at": message.read_at.isoformat(),
    }


def typing_notification(user, thread_id: str, is_typing: bool) -> Frame:
    return {
        "type": "typing_notification",
        "user_id": user.pk,
        "user_name": display_name(user),
        "thread_id": thread_id,
        "is_typing": is_typing,
    }


def user_status_update(user, is_online: bool, last_seen: datetime) -> Frame:
    return {
        "type": "user_status_update",
        "user_id": user.pk,
        "user_name": display_name(user),
        "is_online": is_online,
        "last_seen": last_seen.isoformat(),
    }


def notification(item: Notification) -> Frame:
    urgent = item.priority == Notification.Priority.URGENT
    return {
        "type": "urgent_notification" if urgent else "general_notification",
        "id": item.id,
        "title": item.title,
        "message": item.message,
        "priority": item.priority,
        "action_url": item.action_url,
        "timestamp": item.created_at.isoformat(),
    }
