"""What the application does with its database. Ordinary synchronous Django.

The JSON API calls these directly, the consumers through `database_sync_to_async`. SQLite fails a
transaction that reads and then writes while another one wrote, so none here does that: what must
be exact is one UPDATE, or one that comes before the read.
"""

import uuid
from datetime import datetime

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from .models import Message, Notification, Presence, Thread
from .payload import RequestError
from .stats import stats

User = get_user_model()


def open_thread(user, username: str) -> tuple[Thread, bool]:
    """Return the thread of `user` with `username` and whether it is new."""
    other = User.objects.filter(username=username, is_active=True).first()
    if other is None:
        raise RequestError("not_found", "No such user.")
    if other == user:
        raise RequestError("invalid_payload", "A thread needs two people.")
    first, second = sorted((user, other), key=lambda person: person.pk)
    return Thread.objects.get_or_create(first=first, second=second)


def is_participant(user, thread_id: str) -> bool:
    return Thread.objects.of(user).filter(pk=thread_id).exists()


def get_thread(user, thread_id: str) -> Thread:
    thread = Thread.objects.filter(pk=thread_id).first()
    if thread is None:
        raise RequestError("not_found", "No such thread.")
    if user.pk not in thread.participants:
        raise RequestError("forbidden", "You are not in this thread.")
    return thread


def create_message(user, thread_id: str, content: str) -> Message:
    thread = get_thread(user, thread_id)
    message = Message.objects.create(thread=thread, sender=user, content=content)
    stats.count_message()
    return message


def mark_message_read(reader, message_id: str) -> Message | None:
    """Mark a message as read; return it when that is news to its sender."""
    message = Message.objects.select_related("thread").filter(pk=message_id).first()
    if message is None:
        raise RequestError("not_found", "No such message.")
    if reader.pk not in message.thread.participants:
        raise RequestError("forbidden", "You are not in this thread.")
    if message.sender_id == reader.pk:
        return None
    message.read_at = timezone.now()
    # Only one of several sockets that read it at once finds the field still empty.
    unread = Message.objects.filter(pk=message.pk, read_at=None)
    return message if unread.update(read_at=message.read_at) else None


def presence_opened(user) -> datetime:
    """Count one more user-status socket; return the time."""
    now = timezone.now()
    Presence.objects.get_or_create(user_id=user.pk)
    Presence.objects.filter(user_id=user.pk).update(
        open_sockets=F("open_sockets") + 1, last_seen=now
    )
    return now


def presence_closed(user) -> tuple[datetime, bool]:
    """Count one socket less; return the time and whether it was the user's last."""
    now = timezone.now()
    presence = Presence.objects.filter(user_id=user.pk)
    with transaction.atomic():
        # The write comes first and holds the lock, so two last sockets cannot both read zero.
        closed = presence.filter(open_sockets__gt=0).update(
            open_sockets=F("open_sockets") - 1, last_seen=now
        )
        is_last = bool(closed) and presence.filter(open_sockets=0).exists()
    return now, is_last


def presence_seen(user) -> None:
    Presence.objects.filter(user_id=user.pk).update(last_seen=timezone.now())


def create_notification(
    user_id: int | None, title: str, message: str, priority: str, action_url: str
) -> Notification:
    if user_id is not None and not User.objects.filter(pk=user_id).exists():
        raise RequestError("not_found", "No such user.")
    prefix = "notif-urgent" if priority == Notification.Priority.URGENT else "notif"
    return Notification.objects.create(
        id=f"{prefix}-{uuid.uuid4().hex}",
        user_id=user_id,
        title=title,
        message=message,
        priority=priority,
        action_url=action_url,
    )


def notifications_for(user):
    return Notification.objects.filter(Q(user=user.pk) | Q(user=None))


def mark_notification_read(user, notification_id: str) -> None:
    """Mark a notification as read; one that isn't the user's needs no marking."""
    item = notifications_for(user).filter(pk=notification_id).first()
    if item is not None:
        item.read_by.add(user.pk)
