"""The front page: static HTML that loads its script and style from the static files."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def front_page(request: HttpRequest) -> HttpResponse:
    context = {
        "heartbeat": settings.WEBSOCKET_HEARTBEAT_INTERVAL,
        "attempts": settings.WEBSOCKET_RECONNECT_ATTEMPTS,
    }
    return render(request, "messaging/index.html", context)
