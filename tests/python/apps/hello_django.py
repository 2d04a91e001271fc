"""Django: what test_frameworks.py asks of every framework (no WebSocket: that is Channels')."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    DEBUG=False,
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)


async def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello yes")


def in_thread(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(threading.current_thread() is not threading.main_thread()))


async def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body)


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[str]:
        for number in range(3):
            yield f"part {number};"
            await asyncio.sleep(0.01)

    return StreamingHttpResponse(parts())


def stream_sync(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[str]:
        for number in range(3):
            yield f"part {number};"

    return StreamingHttpResponse(parts())


async def fail(request: HttpRequest) -> HttpResponse:
    raise ValueError("as asked")


urlpatterns = [
    path("hello", hello),
    path("sync", in_thread),
    path("echo", echo),
    path("stream", stream),
    path("stream-sync", stream_sync),
    path("fail", fail),
]

from django.core.asgi import get_asgi_application  # noqa: E402

app = get_asgi_application()
