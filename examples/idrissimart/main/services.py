"""Who may enter which conversation, and what is in it. Ordinary synchronous Django."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q

from .models import ChatMessage, ChatRoom, ClassifiedAd
from .payload import RequestError

HISTORY = 50  # messages that one gets on entering
MAX_ID = 2**63 - 1  # what the database keeps


def read_id(text: str) -> int | None:
    """Return the number that a path or query names, or None."""
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    return int(text) if is_number and int(text) <= MAX_ID else None


def ad_room(user, ad_id: int | None, client_id: str) -> ChatRoom:
    """Return the user's conversation about an ad; a publisher says with `client_id` whose."""
    ad = ClassifiedAd.objects.filter(pk=ad_id).first() if ad_id is not None else None
    if ad is None:
        raise RequestError("not_found", "No such ad.")
    client = user
    if user.pk == ad.publisher_id:
        others = get_user_model().objects.filter(is_active=True).exclude(pk=user.pk)
        client = others.filter(pk=read_id(client_id)).first()
        if client is None:
            raise RequestError("forbidden", "Say with client_id which conversation.")
    room, _ = ChatRoom.objects.get_or_create(
        ad=ad, client=client, defaults={"publisher_id": ad.publisher_id}
    )
    return room


def support_room(user, room_name: str) -> ChatRoom:
    """Return the conversation of `publisher_<id>` with the support."""
    publisher_id = read_id(room_name.removeprefix("publisher_"))
    if room_name != f"publisher_{publisher_id}":
        raise RequestError("not_found", "No such room.")
    if not user.is_staff and user.pk != publisher_id:
        raise RequestError("forbidden", "This is not your conversation.")
    publisher = get_user_model().objects.filter(pk=publisher_id, is_active=True).first()
    if publisher is None:
        raise RequestError("not_found", "No such publisher.")
    room, _ = ChatRoom.objects.get_or_create(ad=None, publisher=publisher)
    return room


def rooms_of(user):
    """The conversations with something in them that the user may enter."""
    mine = Q(publisher=user) | Q(client=user)
    if user.is_staff:
        mine |= Q(ad=None)
    rooms = ChatRoom.objects.filter(mine, messages__isnull=False).distinct()
    return rooms.select_related("ad", "client", "publisher").order_by("-id")


def add_message(user, room: ChatRoom, text: str) -> dict[str, Any]:
    message = ChatMessage.objects.create(room=room, sender=user, message=text)
    return message_data(message)


def history(room: ChatRoom) -> list[dict[str, Any]]:
    """Return the last messages, oldest first."""
    latest = room.messages.select_related("sender", "room").order_by("-id")[:HISTORY]
    return [message_data(message) for message in reversed(latest)]


def display_name(user) -> str:
    return user.get_full_name() or user.get_username()


def message_data(message: ChatMessage) -> dict[str, Any]:
    return {
        "id": message.pk,
        "message": message.message,
        "sender_id": message.sender_id,
        "sender_name": display_name(message.sender),
        "sender_role": message.room.role_of(message.sender_id),
        "timestamp": message.created_at.isoformat(),
    }
