"""Health, log-in and the list of users."""

import os

from channels.layers import get_channel_layer
from django.contrib.auth import authenticate, get_user_model, login, logout
from django.http import HttpRequest, HttpResponse, JsonResponse

from .api_support import endpoint, problem
from .auth import make_token
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


@endpoint("GET")
def users(request: HttpRequest) -> JsonResponse:
    """Everybody, and in `me` who asks."""
    people = get_user_model().objects.filter(is_active=True).order_by("first_name", "username")
    return JsonResponse({"me": person(request.user), "results": [person(user) for user in people]})


def person(user) -> dict:
    return {
        "user_id": user.pk,
        "username": user.get_username(),
        "display_name": user.get_full_name() or user.get_username(),
        "is_staff": user.is_staff,
    }
