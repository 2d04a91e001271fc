"""Consumers of Channels that keep books as real ones do: a group and a count of who is present.

Both books are opened in connect() and closed in disconnect(), so that one call too few shows.
"""

from __future__ import annotations

from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer, WebsocketConsumer
from django.db import connection

from served.ledger import Visit

GROUP = "room"
REPLIES = 4  # to every message


def count_presence(key: str, change: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO presence VALUES (%s, %s)"
            " ON CONFLICT (key) DO UPDATE SET present = presence.present + excluded.present",
            [key, change],
        )


def visit_of(scope: dict) -> Visit:
    return Visit.of(scope["path"], scope["query_string"])


class SyncConsumer(WebsocketConsumer):
    """Runs in a thread."""

    def connect(self) -> None:
        self.visit = visit_of(self.scope)
        self.visit.note("connect")
        async_to_sync(self.channel_layer.group_add)(GROUP, self.channel_name)
        count_presence(self.visit.key, 1)
        self.visit.pause("connecting")
        self.accept()

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.visit.pause("before")
        for number in range(REPLIES):
            self.send(text_data=str(number))
            if number == 0:
                self.visit.pause("during")

    def disconnect(self, code: int) -> None:
        self.visit.note("disconnect")
        self.visit.pause("cleanup")
        async_to_sync(self.channel_layer.group_discard)(GROUP, self.channel_name)
        count_presence(self.visit.key, -1)
        self.visit.note("disconnected")


class AsyncConsumer(AsyncJsonWebsocketConsumer):
    """Runs in the event loop."""

    async def connect(self) -> None:
        self.visit = visit_of(self.scope)
        self.visit.note("connect")
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await database_sync_to_async(count_presence)(self.visit.key, 1)
        await self.visit.apause("connecting")
        await self.accept()

    async def receive_json(self, content: object, **_: object) -> None:
        await self.visit.apause("before")
        for number in range(REPLIES):
            await self.send_json(number)
            if number == 0:
                await self.visit.apause("during")

    async def disconnect(self, code: int) -> None:
        self.visit.note("disconnect")
        await self.visit.apause("cleanup")
        await self.channel_layer.group_discard(GROUP, self.channel_name)
        await database_sync_to_async(count_presence)(self.visit.key, -1)
        self.visit.note("disconnected")
