"""Many WebSockets at once: idle ones, and the members of one Channels group.

GET /report/NAME answers what is known, GET /say/START/COUNT/SIZE sends the group so many messages
of so many bytes, each beginning with its number.
"""

import asyncio
import time
from collections import Counter
from typing import Any

import django
from django.conf import settings

from apps.reports import REPORTS, serve_report, text

settings.configure(
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "apps.crowds.Layer",
            "CONFIG": {"capacity": 40},  # what a channel holds; the layer drops more
        }
    }
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.layers import InMemoryChannelLayer, get_channel_layer  # noqa: E402

GROUP = "crowd"


class Layer(InMemoryChannelLayer):
    """Channels' layer in memory, without its sweep over all channels at every single receive."""

    def _clean_expired(self) -> None:
        """Does nothing: no message lives long here."""


class Member(AsyncWebsocketConsumer):
    """One member of the group: what the group is sent goes to the client."""

    groups = (GROUP,)

    async def crowd_message(self, event: dict[str, Any]) -> None:
        await self.send(text_data=event["text"])

    async def disconnect(self, code: int) -> None:
        codes["member", code] += 1


member = Member.as_asgi()
codes: Counter[tuple[str, int]] = Counter()


async def idle(receive: Any, send: Any) -> None:
    """Receives until the end, and notes its code and time."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        pass
    codes["idle", message["code"]] += 1
    REPORTS["last-disconnect"] = time.time()


async def say(start: int, count: int, size: int) -> None:
    """Sends the group messages, with a turn of the loop between two."""
    for number in range(start, start + count):
        message = {"type": "crowd.message", "text": str(number).ljust(size)}
        await get_channel_layer().group_send(GROUP, message)
        await asyncio.sleep(0)


saying: set[asyncio.Task[None]] = set()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Does what the path says."""
    if scope["type"] == "lifespan":
        raise RuntimeError("this application has no lifespan")
    path = scope["path"]
    if scope["type"] == "websocket":
        await (member(scope, receive, send) if path == "/member" else idle(receive, send))
    elif path.startswith("/say/"):
        start, count, size = map(int, path.split("/")[2:])
        task = asyncio.ensure_future(say(start, count, size))
        saying.add(task)
        task.add_done_callback(saying.discard)
        await text(send, "coming")
    elif path == "/report/codes":
        REPORTS["codes"] = {f"{kind} {code}": count for (kind, code), count in codes.items()}
        REPORTS["tasks"] = len(asyncio.all_tasks())
        REPORTS["members"] = len(get_channel_layer().groups.get(GROUP, ()))
        await serve_report(scope, send)
    elif path.startswith("/report/"):
        await serve_report(scope, send)
    else:
        await text(send, "hello")
