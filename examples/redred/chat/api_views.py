"""The chat's JSON API: rooms, and what was said in them. Messages are sent over the socket."""

from django.db.models import Count, Q
from django.http import HttpRequest, JsonResponse

from core.api_support import endpoint
from core.payload import RequestError, text_field

from . import services
from .consumers import message_data
from .models import ChatRoom

SHOWN = 200  # the latest messages of a room


@endpoint("GET", "POST")
def rooms(request: HttpRequest) -> JsonResponse:
    if request.method == "POST":
        username = text_field(request.data, "username", limit=150)
        room, created = services.open_room(request.user, username)
        data = {"room_name": room.name, "participants": room.participants}
        return JsonResponse(data, status=201 if created else 200)
    unread = Q(messages__read_at=None) & ~Q(messages__sender=request.user)
    mine = ChatRoom.objects.of(request.user).annotate(unread_count=Count("messages", filter=unread))
    return JsonResponse({"results": [summary(room, request.user) for room in mine]})


def summary(room: ChatRoom, user) -> dict:
    last = room.messages.select_related("sender").last()
    other = room.other_than(user.pk)
    return {
        "room_name": room.name,
        "participants": room.participants,
        "unread_count": room.unread_count,
        "other_is_here": getattr(room, room.sockets_field(other)) > 0,
        "last_message": message_data(last) if last else None,
    }


@endpoint("GET")
def messages(request: HttpRequest, room_name: str) -> JsonResponse:
    prefix, _, number = room_name.partition("_")
    room = None
    if prefix == "room" and number.isascii() and number.isdigit() and len(number) < 19:
        room = ChatRoom.objects.filter(pk=int(number)).first()
    if room is None:
        raise RequestError("not_found", "No such room.")
    if request.user.pk not in room.participants:
        raise RequestError("forbidden", "You are not in this room.")
    latest = room.messages.select_related("sender").order_by("-id")[:SHOWN]
    return JsonResponse({"results": [message_data(message) for message in reversed(latest)]})
