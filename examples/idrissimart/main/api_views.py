"""The JSON API under /api/. It reads; messages are sent over the sockets."""

import os

from channels.layers import get_channel_layer
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse, JsonResponse

from . import services
from .api_support import endpoint, problem
from .auth import make_token
from .models import ChatRoom, ClassifiedAd
from .payload import text_field


@endpoint("GET", login=False)
def health(request: HttpRequest) -> JsonResponse:
    layer = get_channel_layer()
    name = type(layer).__name__ if layer else None
    return JsonResponse({"status": "ok", "channel_layer": name, "pid": os.getpid()})


@endpoint("POST", login=False)
def log_in(request: HttpRequest) -> JsonResponse:
    username = text_field(request.data, "username", limit=1000, blank=True)
    password = text_field(request.data, "password", limit=1000, blank=True)
    user = authenticate(request, username=username, password=password)
    if user is None:
        return problem(401, "Wrong user name or password.", **{"WWW-Authenticate": "Bearer"})
    login(request, user)
    return JsonResponse({**person(user), "access_token": make_token(user), "token_type": "bearer"})


@endpoint("POST", login=False, body=False)
def log_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponse(status=204)


def person(user) -> dict:
    return {
        "user_id": user.pk,
        "username": user.get_username(),
        "display_name": services.display_name(user),
        "is_staff": user.is_staff,
    }


@endpoint("GET", login=False)
def ads(request: HttpRequest) -> JsonResponse:
    found = ClassifiedAd.objects.select_related("publisher")
    return JsonResponse({"results": [ad_data(ad) for ad in found]})


def ad_data(ad: ClassifiedAd) -> dict:
    return {
        "id": ad.pk,
        "title": ad.title,
        "publisher_id": ad.publisher_id,
        "publisher_name": services.display_name(ad.publisher),
        "description": ad.description,
        "price": ad.price,
    }


@endpoint("GET")
def rooms(request: HttpRequest) -> JsonResponse:
    """The user's conversations, and in `me` who asks."""
    results = [room_data(room) for room in services.rooms_of(request.user)]
    return JsonResponse({"me": person(request.user), "results": results})


def room_data(room: ChatRoom) -> dict:
    last = room.messages.last()
    return {
        "ad_id": room.ad_id,
        "ad_title": room.ad.title if room.ad else None,
        "client_id": room.client_id,
        "client_name": services.display_name(room.client) if room.client else None,
        "publisher_id": room.publisher_id,
        "publisher_name": services.display_name(room.publisher),
        "last_message": last.message[:100],
    }


@endpoint("GET")
def ad_messages(request: HttpRequest, ad_id: int) -> JsonResponse:
    ad_id = services.read_id(str(ad_id))
    room = services.ad_room(request.user, ad_id, request.GET.get("client_id", ""))
    return JsonResponse({"results": services.history(room)})


@endpoint("GET", login=False)
def debug_scope(request: HttpRequest) -> JsonResponse:
    """What the server told the application about this request; all null under WSGI."""
    scope = getattr(request, "scope", None) or {}
    client, headers = scope.get("client"), dict(scope.get("headers", ()))
    host = headers.get(b"host")
    return JsonResponse(
        {
            "client_host": client[0] if client else None,
            "scheme": scope.get("scheme"),
            "path": scope.get("path"),
            "root_path": scope.get("root_path"),
            "host": host.decode("latin-1") if host is not None else None,
        }
    )
