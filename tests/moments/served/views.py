"""Django views of every kind. Each asks the database, and pauses where its visitor wants."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.core.signals import request_finished, request_started
from django.db import connection
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from served.ledger import Visit, file_of, note

PARTS = 4
TICK = 0.02  # seconds between two events of the endless stream


def query() -> None:
    """Needs a connection to the database, which whoever uses it has to give back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()


class Closing:
    """A response that notes its close(), and may pause in it."""

    visit: Visit

    def close(self) -> None:
        self.visit.note("close")
        if not getattr(self, "is_async", False):  # those pause in their generator, see below
            self.visit.pause("cleanup")
        super().close()  # type: ignore[misc]
        self.visit.note("closed")


class PlainResponse(Closing, HttpResponse):
    pass


class StreamResponse(Closing, StreamingHttpResponse):
    pass


class NotedFileResponse(Closing, FileResponse):
    pass


class NotedFile(io.BufferedReader):
    """A file that notes its close()."""

    def __init__(self, visit: Visit) -> None:
        super().__init__(io.FileIO(file_of(visit.size)))
        self.visit = visit
        visit.note("file")

    def close(self) -> None:
        if not self.closed:
            self.visit.note("file closed")
        super().close()


def made(response: Any, visit: Visit) -> Any:
    """Notes that the view made a response, which must be closed some day."""
    response.visit = visit
    visit.note("response")
    return response


def visit_of(request: HttpRequest) -> Visit:
    return Visit.of(request.path, request.META["QUERY_STRING"])


def sync_view(request: HttpRequest, key: str) -> HttpResponse:
    visit = visit_of(request)
    query()
    visit.pause("before")
    return made(PlainResponse(b"x" * visit.size), visit)


async def async_view(request: HttpRequest, key: str) -> HttpResponse:
    visit = visit_of(request)
    await sync_to_async(query)()
    await visit.apause("before")
    return made(PlainResponse(b"x" * visit.size), visit)


def sync_stream(request: HttpRequest, key: str) -> HttpResponse:
    visit = visit_of(request)
    query()
    visit.pause("before")
    return made(StreamResponse(sync_parts(visit)), visit)


def sync_parts(visit: Visit) -> Iterator[bytes]:
    visit.note("generator")
    try:
        for _ in range(PARTS):
            query()
            yield b"x" * (visit.size // PARTS)
    finally:
        visit.note("generator closed")


async def async_stream(request: HttpRequest, key: str) -> HttpResponse:
    visit = visit_of(request)
    await visit.apause("before")
    return made(StreamResponse(async_parts(visit)), visit)


async def async_parts(visit: Visit) -> AsyncIterator[bytes]:
    visit.note("generator")
    try:
        for number in range(PARTS):
            await sync_to_async(query)()
            yield b"x" * (visit.size // PARTS)
            if number == 0:
                await visit.apause("during")
    finally:
        await close_generator(visit)


async def close_generator(visit: Visit) -> None:
    """The clean-up of an asynchronous generator, which may be cancelled while it waits."""
    try:
        await visit.apause("cleanup")
    finally:
        visit.note("generator closed")


async def sse(request: HttpRequest, key: str) -> HttpResponse:
    visit = visit_of(request)
    await sync_to_async(query)()
    await visit.apause("before")
    return made(StreamResponse(events(visit), content_type="text/event-stream"), visit)


async def events(visit: Visit) -> AsyncIterator[bytes]:
    """Server-sent events for as long as somebody takes them."""
    visit.note("generator")
    try:
        while True:
            yield b"data: " + b"x" * visit.size + b"\n\n"
            await asyncio.sleep(3600 if visit.quiet else TICK)
    finally:
        await close_generator(visit)


def file_view(request: HttpRequest, key: str) -> HttpResponse:
    visit = visit_of(request)
    query()
    visit.pause("before")
    return made(NotedFileResponse(NotedFile(visit)), visit)


urlpatterns = [
    path("dj_sync/<key>", sync_view),
    path("dj_async/<key>", async_view),
    path("dj_sync_stream/<key>", sync_stream),
    path("dj_async_stream/<key>", async_stream),
    path("dj_file/<key>", file_view),
    path("dj_sse/<key>", sse),
]


def _started(**_: object) -> None:
    note("django", "request_started")


def _finished(**_: object) -> None:
    note("django", "request_finished")


request_started.connect(_started)
request_finished.connect(_finished)
