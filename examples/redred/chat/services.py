"""What the chat does with its database. Ordinary synchronous Django.

SQLite fails a transaction that reads and then writes while another one wrote, so none here does
that: what must be exact is one UPDATE, or one that comes before the read.
"""

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from core.payload import RequestError

from .models import ChatMessage, ChatRoom


def open_room(user, username: str) -> tuple[ChatRoom, bool]:
    """Return the room of `user` with `username` and whether it is new."""
    other = get_user_model().objects.filter(username=username, is_active=True).first()
    if other is None:
        raise RequestError("not_found", "No such user.")
    if other == user:
        raise RequestError("invalid_payload", "A room needs two people.")
    first, second = sorted((user, other), key=lambda person: person.pk)
    return ChatRoom.objects.get_or_create(first=first, second=second)


def room_of(user, room_id: int) -> ChatRoom | None:
    return ChatRoom.objects.of(user).filter(pk=room_id).first()


def create_message(user, room: ChatRoom, text: str) -> ChatMessage:
    return ChatMessage.objects.create(room=room, sender=user, text=text)


def mark_read(reader, room: ChatRoom, message_ids: list[int] | None) -> list[int]:
    """Mark messages of the other participant as read; return the ids for which that is news."""
    unread = ChatMessage.objects.filter(room=room, read_at=None).exclude(sender=reader)
    found = list(unread.values_list("pk", flat=True))
    wanted = found if message_ids is None else sorted(set(message_ids).intersection(found))
    now = timezone.now()
    # Only one of several sockets that read a message at once finds the field still empty.
    return [pk for pk in wanted if unread.filter(pk=pk).update(read_at=now)]


def socket_opened(user, room: ChatRoom) -> None:
    field = room.sockets_field(user.pk)
    ChatRoom.objects.filter(pk=room.pk).update(**{field: F(field) + 1})


def socket_closed(user, room: ChatRoom) -> bool:
    """Count one socket less; return whether it was the user's last in this room."""
    field = room.sockets_field(user.pk)
    rooms = ChatRoom.objects.filter(pk=room.pk)
    with transaction.atomic():
        # The write comes first and holds the lock, so two last sockets cannot both read zero.
        closed = rooms.filter(**{f"{field}__gt": 0}).update(**{field: F(field) - 1})
        return bool(closed) and rooms.filter(**{field: 0}).exists()
