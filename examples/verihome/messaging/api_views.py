"""The JSON API under /api/v1/. Synchronous views; they push to sockets through `async_to_sync`."""

import os

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth import authenticate, get_user_model, login
from django.db.models import Count, Q
from django.http import HttpRequest, JsonResponse

from . import delivery, frames, services
from .api_support import endpoint, problem
from .auth import make_token
from .consumers import UserStatusConsumer
from .models import Message, Notification, Thread
from .payload import RequestError, text_field


@endpoint("GET", login=False)
def index(request: HttpRequest) -> JsonResponse:
    base = request.build_absolute_uri("/api/v1/")
    paths = {
        "health": "health/",
        "login": "auth/login/",
        "users": "users/",
        "threads": "threads/",
        "messages": "threads/{id}/messages/",
        "notifications": "notifications/",
        "stats": "realtime/stats/",
    }
    return JsonResponse({name: base + path for name, path in paths.items()})


@endpoint("GET", login=False)
def health(request: HttpRequest) -> JsonResponse:
    layer = get_channel_layer()
    return JsonResponse(
        {
            "status": "ok",
            "channel_layer": type(layer).__name__ if layer else None,
            "pid": os.getpid(),
        }
    )


@endpoint("POST", login=False)
def log_in(request: HttpRequest) -> JsonResponse:
    username = text_field(request.data, "username", blank=True)
    password = text_field(request.data, "password", blank=True)
    user = authenticate(request, username=username, password=password)
    if user is None:
        return problem(401, "Wrong user name or password.", **{"WWW-Authenticate": "Bearer"})
    login(request, user)
    return JsonResponse(
        {
            "user_id": user.pk,
            "username": user.get_username(),
            "display_name": frames.display_name(user),
            "is_staff": user.is_staff,
            "access_token": make_token(user),
            "token_type": "bearer",
        }
    )


@endpoint("GET")
def users(request: HttpRequest) -> JsonResponse:
    """Everybody one can write to, and who is online now; changes come over /ws/user-status/."""
    people = get_user_model().objects.filter(is_active=True).select_related("presence")
    results = []
    for person in people.order_by("first_name", "username"):
        presence = getattr(person, "presence", None)
        results.append(
            {
                "id": person.pk,
                "username": person.get_username(),
                "display_name": frames.display_name(person),
                "is_online": bool(presence and presence.open_sockets),
                "last_seen": presence.last_seen.isoformat() if presence else None,
            }
        )
    return JsonResponse({"results": results})


@endpoint("GET", "POST")
def threads(request: HttpRequest) -> JsonResponse:
    if request.method == "POST":
        thread, created = services.open_thread(request.user, text_field(request.data, "username"))
        status = 201 if created else 200
        return JsonResponse({"id": thread.id, "participants": thread.participants}, status=status)
    unread = Q(messages__read_at=None) & ~Q(messages__sender=request.user)
    mine = Thread.objects.of(request.user).annotate(unread_count=Count("messages", filter=unread))
    return JsonResponse({"results": [thread_summary(thread) for thread in mine]})


def thread_summary(thread: Thread) -> frames.Frame:
    last = thread.messages.select_related("sender").last()
    return {
        "id": thread.id,
        "participants": thread.participants,
        "unread_count": thread.unread_count,
        "last_message": frames.message_object(last) if last else None,
    }


@endpoint("GET", "POST")
def messages(request: HttpRequest, thread_id: str) -> JsonResponse:
    if request.method == "POST":
        content = text_field(request.data, "content")
        message = services.create_message(request.user, thread_id, content)
        async_to_sync(delivery.send_message)(message)
        return JsonResponse(frames.message_object(message), status=201)
    thread = services.get_thread(request.user, thread_id)
    found = Message.objects.filter(thread=thread).select_related("sender")
    return JsonResponse({"results": [frames.message_object(message) for message in found]})


@endpoint("GET", "POST")
def notifications(request: HttpRequest) -> JsonResponse:
    if request.method == "GET":
        unread = services.notifications_for(request.user).exclude(read_by=request.user)
        return JsonResponse({"results": [frames.notification(item) for item in unread[:50]]})
    if not request.user.is_staff:
        raise RequestError("forbidden", "Only staff may notify.")
    data = request.data
    user_id = data.get("user_id", "")
    if user_id is not None and type(user_id) is not int:
        raise RequestError("invalid_payload", "user_id must be a number, or null for everyone.")
    if data.get("priority") not in Notification.Priority.values:
        raise RequestError("invalid_payload", "priority must be low, medium, high or urgent.")
    item = services.create_notification(
        user_id=user_id,
        title=text_field(data, "title", limit=200),
        message=text_field(data, "message"),
        priority=data["priority"],
        action_url=text_field({"action_url": "", **data}, "action_url", blank=True, limit=500),
    )
    async_to_sync(delivery.send_notification)(item)
    return JsonResponse({"id": item.id}, status=201)


@endpoint("GET")
def realtime_stats(request: HttpRequest) -> JsonResponse:
    return JsonResponse(UserStatusConsumer.realtime_stats())
