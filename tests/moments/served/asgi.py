"""The application under test: a path's first part says which kind answers.

/state answers what the process holds: tasks, threads, connections taken from the pool, members of
the group.
/echo is the bystanders' WebSocket.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
from collections import Counter
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "served.settings")
django_application = get_asgi_application()

from channels.db import database_sync_to_async  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402

from served import bare, consumers, views  # noqa: E402  (views: its signals, from the first request on)
from served.ledger import note  # noqa: E402

if "MOMENTS_COLLECT" in os.environ:
    gc.set_threshold(1)  # after each object that is made, wherever that is

TARGETS = {
    "ws_sync": consumers.SyncConsumer.as_asgi(),
    "ws_async": consumers.AsyncConsumer.as_asgi(),
    "ws_raw": bare.raw_websocket,
    "raw": bare.raw,
    "sl_stream": bare.starlette_stream,
    "sl_file": bare.starlette_file,
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Notes the begin and the end of every call."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    name, _, key = scope["path"].lstrip("/").partition("/")
    if name == "state":
        await state(scope, receive, send)
    elif name == "echo":
        await echo(receive, send)
    else:
        note(key, "call")
        try:
            await TARGETS.get(name, django_application)(scope, receive, send)
        finally:
            note(key, "call ended")


async def lifespan(receive: Any, send: Any) -> None:
    for word in ("startup", "shutdown"):
        message = await receive()
        assert message["type"] == f"lifespan.{word}", message
        note("lifespan", word)
        await send({"type": f"lifespan.{word}.complete"})


async def warm_up() -> None:
    """Has what a process keeps once it has it: the thread of synchronous code, the pool."""
    if not _warm:
        _warm.append(True)
        await database_sync_to_async(views.query)()


_warm: list[bool] = []


async def state(scope: Any, receive: Any, send: Any) -> None:
    await warm_up()
    if scope["query_string"]:
        gc.collect()  # so that what nobody awaited or retrieved is complained of
        await asyncio.sleep(0)
    layer = get_channel_layer()
    pool = connection.pool.get_stats() if settings.POOLED else {}
    threads = [thread.name for thread in threading.enumerate()]
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    found = {
        "pid": os.getpid(),
        "tasks": Counter(name_of(task.get_coro()) for task in tasks),
        "waits": {name_of(task.get_coro()): where(task) for task in tasks},
        "threads": Counter(
            # The pools of asyncio, AnyIO and the database keep theirs once they have them.
            name.partition("-")[0]
            for name in threads
            if not name.startswith(("asyncio_", "AnyIO worker", "pool-"))
        ),
        "pooled": settings.POOLED,
        "taken from the pool": pool.get("pool_size", 0) - pool.get("pool_available", 0),
        "objects": len(gc.get_objects()) if scope["query_string"] else 0,
        "members of the group": len(getattr(layer, "groups", {}).get(consumers.GROUP, ())),
    }
    body = json.dumps(found).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def name_of(awaitable: Any) -> str:
    return getattr(awaitable, "__qualname__", type(awaitable).__name__)


def where(task: asyncio.Task[Any]) -> str:
    """What a task waits for: the lines of its coroutines, outermost first."""
    found = []
    awaited: Any = task.get_coro()
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None)
        found.append(f"{name_of(awaited)}:{frame.f_lineno}" if frame else name_of(awaited))
        awaited = getattr(awaited, "cr_await", None)
    return " > ".join(found)


async def echo(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": str(os.getpid())})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
