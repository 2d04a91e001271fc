"""Applications that differ in their lifespan; each prints to standard error what it is told."""

import asyncio
import sys
import time
from typing import Any

from apps.reports import text


def note(line: str) -> None:
    print(f"app: {line}", file=sys.stderr, flush=True)


async def answer(scope: Any, receive: Any, send: Any) -> None:
    note(f"request {scope['path']}")
    if scope["path"] == "/slow":
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            note("cancelled")
            raise
    state = scope.get("state")
    seen = repr(state)
    if state is not None:
        state["intruder"] = True
        state.get("shared", []).append(scope["path"])
    await text(send, seen)


async def good(scope: Any, receive: Any, send: Any) -> None:
    """Everything as the specification has it."""
    if scope["type"] != "lifespan":
        await answer(scope, receive, send)
        return
    note(f"lifespan {sorted(scope)} {scope['asgi']}")
    task = asyncio.current_task()
    assert await receive() == {"type": "lifespan.startup"}
    note("startup begun")
    await asyncio.sleep(0.2)
    scope["state"]["answer"] = 42
    scope["state"]["shared"] = []
    note("startup done")
    await send({"type": "lifespan.startup.complete"})
    assert await receive() == {"type": "lifespan.shutdown"}
    assert asyncio.current_task() is task
    note("shutdown begun")
    await asyncio.sleep(0.1)
    note("shutdown done")
    await send({"type": "lifespan.shutdown.complete"})
    note("end of lifespan")


async def absent(scope: Any, receive: Any, send: Any) -> None:
    """As Django Channels' ProtocolTypeRouter."""
    if scope["type"] == "lifespan":
        raise ValueError("No application configured for scope type 'lifespan'")
    await answer(scope, receive, send)


async def returning(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "lifespan":
        await answer(scope, receive, send)


async def raising_late(scope: Any, receive: Any, send: Any) -> None:
    """Takes the startup message and then raises."""
    if scope["type"] != "lifespan":
        await answer(scope, receive, send)
        return
    await receive()
    raise RuntimeError("database\nis down")


async def failing(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        message = {"type": "lifespan.startup.failed", "message": "database is down"}
        await send(message)


async def failing_silently(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed"})


async def complete_and_return(scope: Any, receive: Any, send: Any) -> None:
    """Doesn't wait for the shutdown message."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
    else:
        await answer(scope, receive, send)


async def failing_shutdown(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "could not flush"})


async def raising_shutdown(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise RuntimeError("could not flush")


async def hanging_startup(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        note("startup begun")
        try:
            await asyncio.sleep(1000)
        finally:
            note("startup left")


async def hanging_shutdown(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        note("shutdown begun")
        await asyncio.sleep(1000)


async def blocking_shutdown(scope: Any, receive: Any, send: Any) -> None:
    """Blocks the whole event loop at shutdown."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        note("shutdown begun")
        time.sleep(1000)


async def exiting(scope: Any, receive: Any, send: Any) -> None:
    """Ends the process from inside a request."""
    if scope["type"] == "lifespan":
        raise ValueError("no lifespan")
    if scope["path"] == "/keyboard":
        raise KeyboardInterrupt
    if scope["path"] == "/later":
        await receive()
    sys.exit(7)
